package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	memoryFile   = "/proc/self/status"
	memoryPeriod = 50 * time.Millisecond
)

// memory is what the process takes, in bytes.
type memory struct {
	PeakResident  int64 `json:"peak_resident_bytes"`
	PeakAnonymous int64 `json:"peak_anonymous_bytes"`
	Anonymous     int64 `json:"anonymous_bytes"` // now
	Resident      int64 `json:"resident_bytes"`  // now
}

func (m *memory) String() string {
	return fmt.Sprintf("peak %s resident, peak anonymous %s, anonymous now %s",
		mebibytes(m.PeakResident), mebibytes(m.PeakAnonymous), mebibytes(m.Anonymous))
}

func mebibytes(n int64) string { return fmt.Sprintf("%d MiB", (n+1<<19)>>20) }

// readMemory returns nil where the system does not tell.
func readMemory() *memory {
	status, err := os.ReadFile(memoryFile)
	if err != nil {
		return nil
	}
	return parseMemory(string(status))
}

// parseMemory reads the lines that it needs of a status file, as "RssAnon:     1234 kB". It returns
// nil when one is missing.
func parseMemory(status string) *memory {
	found := map[string]int64{}
	for line := range strings.Lines(status) {
		name, rest, _ := strings.Cut(line, ":")
		fields := strings.Fields(rest)
		if len(fields) != 2 || fields[1] != "kB" {
			continue
		}
		if n, err := strconv.ParseInt(fields[0], 10, 64); err == nil {
			found[name] = n << 10
		}
	}
	resident, ok := found["VmHWM"]
	anonymous, ok2 := found["RssAnon"]
	now, ok3 := found["VmRSS"]
	if !ok || !ok2 || !ok3 {
		return nil
	}
	return &memory{PeakResident: resident, PeakAnonymous: anonymous, Anonymous: anonymous, Resident: now}
}

// A memoryWatch samples the memory until it is stopped.
type memoryWatch struct {
	done    chan struct{}
	running sync.WaitGroup
	peak    int64 // of anonymous memory; read it only after running
}

func watchMemory() *memoryWatch {
	w := &memoryWatch{done: make(chan struct{})}
	w.running.Go(func() {
		tick := time.NewTicker(memoryPeriod)
		defer tick.Stop()
		for {
			m := readMemory()
			if m == nil {
				return
			}
			w.peak = max(w.peak, m.Anonymous)
			select {
			case <-tick.C:
			case <-w.done:
				return
			}
		}
	})
	return w
}

// stop ends the watch and returns what it saw, nil where the system does not tell. It is called
// once.
func (w *memoryWatch) stop() *memory {
	close(w.done)
	w.running.Wait()
	m := readMemory()
	if m != nil {
		m.PeakAnonymous = max(w.peak, m.Anonymous)
	}
	return m
}
