// Package process is what a benchmark asks the system for: the memory and processor time of the process,
// and that disks come to rest.
package process

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Memory is what the process takes, in bytes.
type Memory struct {
	PeakResident  int64 `json:"peak_resident_bytes"`
	PeakAnonymous int64 `json:"peak_anonymous_bytes"`
	Anonymous     int64 `json:"anonymous_bytes"` // now
	Resident      int64 `json:"resident_bytes"`  // now
}

// String returns one line.
func (m *Memory) String() string {
	return fmt.Sprintf("peak %d MiB resident, peak anonymous %d MiB, anonymous now %d MiB",
		m.PeakResident>>20, m.PeakAnonymous>>20, m.Anonymous>>20)
}

// ReadMemory returns nil where the system does not tell.
func ReadMemory() *Memory {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil
	}
	m := &Memory{}
	for line := range strings.Lines(string(status)) { // as "RssAnon:     1234 kB"
		name, rest, _ := strings.Cut(line, ":")
		at := map[string]*int64{"VmHWM": &m.PeakResident, "RssAnon": &m.Anonymous, "VmRSS": &m.Resident}[name]
		if at == nil {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		if err != nil {
			return nil
		}
		*at = kib << 10
	}
	m.PeakAnonymous = m.Anonymous
	return m
}

// WatchMemory takes a sample of the memory every 50 ms until stop is called, once, which returns what
// it saw; nil where the system does not tell.
func WatchMemory() (stop func() *Memory) {
	peak, done := int64(0), make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for m := ReadMemory(); m != nil; m = ReadMemory() {
			peak = max(peak, m.Anonymous)
			select {
			case <-tick.C:
			case <-done:
				return
			}
		}
	})
	return func() *Memory {
		close(done)
		running.Wait()
		m := ReadMemory()
		if m != nil {
			m.PeakAnonymous = max(peak, m.Anonymous)
		}
		return m
	}
}
