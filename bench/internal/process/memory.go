// Package process is what a benchmark asks the system for: the memory and processor time of the
// process, and that disks come to rest.
package process

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ReadMemory returns bytes that the process takes, by the names that the file has that tells: as
// VmRSS, VmHWM and RssAnon. It is empty where the system does not tell.
func ReadMemory() map[string]int64 {
	status, _ := os.ReadFile("/proc/self/status")
	memory := map[string]int64{}
	for line := range strings.Lines(string(status)) { // as "RssAnon:     1234 kB"
		name, rest, _ := strings.Cut(line, ":")
		if number, found := strings.CutSuffix(strings.TrimSpace(rest), " kB"); found {
			kib, _ := strconv.ParseInt(number, 10, 64)
			memory[name] = kib << 10
		}
	}
	return memory
}

// Memory is the most that the process took, in bytes.
type Memory struct {
	PeakResident  int64 `json:"peak_resident_bytes"`
	PeakAnonymous int64 `json:"peak_anonymous_bytes"`
}

// WatchMemory takes a sample of the memory every 50 ms until stop is called, once, which returns
// what it saw.
func WatchMemory() (stop func() Memory) {
	peak, done := int64(0), make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			peak = max(peak, ReadMemory()["RssAnon"])
			select {
			case <-tick.C:
			case <-done:
				return
			}
		}
	})
	return func() Memory {
		close(done)
		running.Wait()
		last := ReadMemory()
		return Memory{last["VmHWM"], max(peak, last["RssAnon"])}
	}
}
