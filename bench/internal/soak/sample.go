package soak

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gabion-storage/gabion/bench/internal/bytesize"
	"github.com/gabion-storage/gabion/bench/internal/report"
	"github.com/gabion-storage/gabion/engine"
)

// KindSlow is the kind of calls whose bodies and readers wait by themselves. Other calls are told
// apart by what they do: "put", "read".
const KindSlow = "slow"

// kinds are those of which there were calls.
func kinds(samples ...Sample) []string {
	all := map[string]bool{}
	for _, s := range samples {
		for kind := range s.Took {
			all[kind] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// count records how long a call took that went well.
func (w *World) count(kind string, begin time.Time) {
	took := w.options.Clock().Sub(begin)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.took[kind] = append(w.took[kind], took)
}

// A Process is what the process takes. What the system does not tell is 0.
type Process struct {
	Resident   int64 // bytes
	Heap       int64 // bytes of Go's, in use
	Goroutines int
	Handles    int // open files
}

// A Sample is the state at one time, and what calls took in the interval before it.
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
	Process
}

// Sample takes a sample. interval is how long it is since the last one.
func (w *World) Sample(ctx context.Context, at, interval time.Duration, p Process) (Sample, error) {
	s := Sample{At: at, Process: p}
	w.mu.Lock()
	s.Took, w.took = w.took, map[string][]time.Duration{}
	w.mu.Unlock()
	for _, took := range s.Took {
		slices.Sort(took)
		s.Rate += float64(len(took)) / max(interval.Seconds(), 1e-9)
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

// percentile is that of sorted times, in milliseconds.
func percentile(sorted []time.Duration, percent int) float64 {
	return report.Percentile(sorted, percent).Seconds() * 1e3
}

// Print writes one line.
func (s *Sample) Print(w io.Writer) error {
	var b strings.Builder
	human := func(n int64) string { return strings.ReplaceAll(bytesize.Human(n), " ", "") }
	fmt.Fprintf(&b, "%5.0fs %6.0f/s  live %s disk %s %.2fx stored %s dead %s trash %d %s",
		s.At.Seconds(), s.Rate, human(s.Live), human(s.Disk), float64(s.Disk)/float64(max(s.Live, 1)),
		human(s.Stored), human(s.Dead), s.Trash, human(s.TrashBytes))
	fmt.Fprintf(&b, "  rss %s heap %s gor %d fd %d ",
		human(s.Resident), human(s.Heap), s.Goroutines, s.Handles)
	for _, kind := range kinds(*s) {
		took := s.Took[kind]
		fmt.Fprintf(&b, " %s %d %.3g/%.3gms",
			kind, len(took), percentile(took, 50), percentile(took, 99))
	}
	_, err := fmt.Fprintln(w, b.String())
	return err
}

// A curve is one value over time.
type curve struct {
	group, name, unit string
	rule              rule // the zero rule: it need not level off
	of                func(*Sample) float64
	kind              string // of a latency; "" for others
}

// curves are all that there are of samples.
func curves(samples []Sample) (all []curve) {
	mib := func(group, name string, r rule, of func(*Sample) int64) {
		value := func(s *Sample) float64 { return float64(of(s)) / (1 << 20) }
		all = append(all, curve{group, name, "MiB", r, value, ""})
	}
	number := func(group, name, unit string, r rule, of func(*Sample) float64) {
		all = append(all, curve{group, name, unit, r, of, ""})
	}
	mib("disk", "live", rule{}, func(s *Sample) int64 { return s.Live })
	mib("disk", "on disk", rule{}, func(s *Sample) int64 { return s.Disk })
	mib("disk", "may be", rule{}, (*Sample).mostDisk)
	mib("backlog", "dead", backlogRule, func(s *Sample) int64 { return s.Dead })
	mib("backlog", "trash", backlogRule, func(s *Sample) int64 { return s.TrashBytes })
	number("trash", "parts", "number", queueRule, func(s *Sample) float64 { return float64(s.Trash) })
	mib("memory", "resident", memoryRule, func(s *Sample) int64 { return s.Resident })
	mib("memory", "Go heap", memoryRule, func(s *Sample) int64 { return s.Heap })
	number("counts", "goroutines", "number", countRule,
		func(s *Sample) float64 { return float64(s.Goroutines) })
	number("counts", "handles", "number", countRule,
		func(s *Sample) float64 { return float64(s.Handles) })
	number("calls", "all", "1/s", rule{}, func(s *Sample) float64 { return s.Rate })
	for _, kind := range kinds(samples...) {
		r := latencyRule
		if kind == KindSlow { // waits for itself
			r = rule{}
		}
		took := func(percent int) func(s *Sample) float64 {
			return func(s *Sample) float64 { return percentile(s.Took[kind], percent) }
		}
		all = append(all, curve{"p50", kind, "ms", rule{}, took(50), kind},
			curve{"p99", kind, "ms", r, took(99), kind})
	}
	return all
}

// in returns the samples that have a value: of a latency, those with such calls.
func (c *curve) in(samples []Sample) []Sample {
	if c.kind == "" {
		return samples
	}
	return slices.DeleteFunc(slices.Clone(samples), func(s Sample) bool {
		return len(s.Took[c.kind]) == 0
	})
}

// AddTo adds all samples to a report, as series over time.
func AddTo(r *report.Report, samples []Sample) {
	unit := 100 * time.Millisecond // of the times, which must differ
	for i := 1; i < len(samples); i++ {
		if samples[i].At-samples[i-1].At < 2*unit {
			unit = time.Microsecond
			break
		}
	}
	for _, c := range curves(samples) {
		for _, s := range c.in(samples) {
			seconds := math.Round(float64(s.At)/float64(unit)) * unit.Seconds()
			r.Add(report.Series{
				Group: c.group, Axis: "seconds", Contender: c.name,
				Case: strconv.FormatFloat(seconds, 'g', 10, 64),
			}, c.unit, c.of(&s))
		}
	}
}
