package soak

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gabion-storage/gabion/bench/internal/process"
	"github.com/gabion-storage/gabion/bench/internal/report"
	"github.com/gabion-storage/gabion/engine"
)

// KindSlow is the kind of calls whose bodies and readers wait by themselves. Other calls are told
// apart by what they do: "put", "read".
const KindSlow = "slow"

// count records how long a call took that went well.
func (w *World) count(kind string, begin time.Time) {
	took := w.options.Clock().Sub(begin)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.took[kind] = append(w.took[kind], took)
}

// A Sample is the state at one time, and what calls took in the interval before it. What the system
// does not tell is 0.
type Sample struct {
	At   time.Duration              // since the start
	Took map[string][]time.Duration // ascending
	Rate float64                    // calls a second, of all kinds

	Live   int64 // bytes that must be on disk: see the package comment
	Stored int64 // bytes that the engine calls live, those that are deleted and not swept yet too
	Disk   int64 // bytes that the directory takes

	Trash      int64 // parts that are deleted and not swept yet
	TrashBytes int64 // their sizes
	Dead       int64 // bytes in volumes that belong to no chunk, of parts under way too

	Resident   int64 // bytes of the process's memory
	Heap       int64 // bytes of Go's, in use
	Goroutines int
	Handles    int // open files
}

// Sample takes a sample.
func (w *World) Sample(ctx context.Context) (Sample, error) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	handles, _ := os.ReadDir("/proc/self/fd")
	s := Sample{
		Resident: process.ReadMemory()["VmRSS"], Heap: int64(m.HeapInuse),
		Goroutines: runtime.NumGoroutine(), Handles: len(handles),
	}
	now := w.options.Clock()
	w.mu.Lock()
	interval := max(now.Sub(w.sampled).Seconds(), 1e-9)
	s.At, s.Took = now.Sub(w.began), w.took
	w.took, w.sampled = map[string][]time.Duration{}, now
	w.mu.Unlock()
	for _, took := range s.Took {
		slices.Sort(took)
		s.Rate += float64(len(took)) / interval
	}
	before := w.Live()
	stats, err := w.engine.Stats(ctx, &engine.StatsRequest{})
	if err != nil {
		return Sample{}, err
	}
	// The disk was looked at between the two.
	s.Live = max(before, w.Live())
	s.Stored, s.Disk = stats.StoredBytes+stats.InlineBytes, stats.DiskBytes
	s.Trash, s.TrashBytes, s.Dead = stats.TrashParts, stats.TrashBytes, stats.DeadBytes
	return s, nil
}

// kinds are those of which there were calls.
func (s *Sample) kinds() []string { return slices.Sorted(maps.Keys(s.Took)) }

// percentile is that of sorted times, in milliseconds.
func percentile(sorted []time.Duration, percent int) float64 {
	return report.Percentile(sorted, percent).Seconds() * 1e3
}

func p99(sorted []time.Duration) float64 { return percentile(sorted, 99) }

// A reading is one value of a sample.
type reading struct {
	group, name, unit string
	value             float64
}

// readings are all values: first those that every sample has, in the same order, then what calls
// took.
func (s *Sample) readings() []reading {
	mib := func(n int64) float64 { return float64(n) / (1 << 20) }
	all := []reading{
		{"calls", "all", "1/s", s.Rate},
		{"disk", "live", "MiB", mib(s.Live)},
		{"disk", "on disk", "MiB", mib(s.Disk)},
		{"disk", "may be", "MiB", mib(s.mostDisk())},
		{"backlog", "dead", "MiB", mib(s.Dead)},
		{"backlog", "trash", "MiB", mib(s.TrashBytes)},
		{"trash", "parts", "number", float64(s.Trash)},
		{"memory", "resident", "MiB", mib(s.Resident)},
		{"memory", "Go heap", "MiB", mib(s.Heap)},
		{"counts", "goroutines", "number", float64(s.Goroutines)},
		{"counts", "handles", "number", float64(s.Handles)},
	}
	for _, kind := range s.kinds() {
		took := s.Took[kind]
		all = append(all,
			reading{"p50", kind, "ms", percentile(took, 50)}, reading{"p99", kind, "ms", p99(took)})
	}
	return all
}

// Print writes one line: all readings but what calls took, and of that medians and p99.
func (s *Sample) Print(w io.Writer) error {
	var line strings.Builder
	fmt.Fprintf(&line, "%.0fs", s.At.Seconds())
	for _, r := range s.readings() {
		switch r.group {
		case "p50":
			fmt.Fprintf(&line, ", %s %d: %.3g", r.name, len(s.Took[r.name]), r.value)
		case "p99":
			fmt.Fprintf(&line, "/%.3g %s", r.value, r.unit)
		default:
			fmt.Fprintf(&line, ", %s %.5g %s", r.name, r.value, strings.TrimPrefix(r.unit, "number"))
		}
	}
	_, err := fmt.Fprintln(w, line.String())
	return err
}

// AddTo adds all samples to a report, as series over time. Their times are not rounded: after a late
// one the next may follow at once.
func AddTo(r *report.Report, samples []Sample) {
	for _, s := range samples {
		at := strconv.FormatFloat(s.At.Seconds(), 'g', -1, 64)
		for _, v := range s.readings() {
			r.Add(report.Series{Group: v.group, Axis: "seconds", Case: at, Contender: v.name},
				v.unit, v.value)
		}
	}
}
