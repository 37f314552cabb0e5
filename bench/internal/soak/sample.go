package soak

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gabion-storage/gabion/bench/internal/bytesize"
	"github.com/gabion-storage/gabion/bench/internal/report"
	"github.com/gabion-storage/gabion/engine"
)

// A Kind is what latencies are told apart by.
type Kind string

// The kinds of calls. Slow bodies and readers, which wait by themselves, are a kind of their own.
const (
	KindPut      Kind = "put"
	KindInitiate Kind = "initiate"
	KindPart     Kind = "part"
	KindComplete Kind = "complete"
	KindAbort    Kind = "abort"
	KindCopy     Kind = "copy"
	KindList     Kind = "list"
	KindRead     Kind = "read"
	KindRange    Kind = "range"
	KindDelete   Kind = "delete"
	KindSlow     Kind = "slow"
)

// Kinds are all kinds, in the order in which they are shown.
var Kinds = [...]Kind{
	KindPut, KindInitiate, KindPart, KindComplete, KindAbort, KindCopy, KindList, KindRead, KindRange, KindDelete, KindSlow,
}

// kind is that of a call at this pace.
func (p pace) kind(of Kind) Kind {
	if p.slow() {
		return KindSlow
	}
	return of
}

// count records how long a call took that went well.
func (w *World) count(kind Kind, begin time.Time) {
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
	At   time.Duration            // since the start
	Took map[Kind][]time.Duration // ascending
	Rate float64                  // calls a second, of all kinds

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
	s.Took, w.took = w.took, map[Kind][]time.Duration{}
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
	fmt.Fprintf(&b, "%5.0fs %6.0f/s  live %s disk %s %.2fx stored %s dead %s trash %d %s  rss %s heap %s gor %d fd %d ",
		s.At.Seconds(), s.Rate, human(s.Live), human(s.Disk), float64(s.Disk)/float64(max(s.Live, 1)), human(s.Stored),
		human(s.Dead), s.Trash, human(s.TrashBytes), human(s.Resident), human(s.Heap), s.Goroutines, s.Handles)
	for _, kind := range Kinds {
		if took := s.Took[kind]; len(took) > 0 {
			fmt.Fprintf(&b, " %s %d %.3g/%.3gms", kind, len(took), percentile(took, 50), percentile(took, 99))
		}
	}
	_, err := fmt.Fprintln(w, b.String())
	return err
}

// A curve is one value over time.
type curve struct {
	group, name, unit string
	rule              rule // the zero rule: it need not level off
	of                func(*Sample) float64
	kind              Kind // of a latency; "" for others
}

const mebibyte = 1 << 20

// curves are all of them.
func curves() []curve {
	all := []curve{
		{"disk", "live", "MiB", rule{}, func(s *Sample) float64 { return float64(s.Live) / mebibyte }, ""},
		{"disk", "on disk", "MiB", rule{}, func(s *Sample) float64 { return float64(s.Disk) / mebibyte }, ""},
		{"disk", "may be", "MiB", rule{}, func(s *Sample) float64 { return float64(s.mostDisk()) / mebibyte }, ""},
		{"backlog", "dead", "MiB", backlogRule, func(s *Sample) float64 { return float64(s.Dead) / mebibyte }, ""},
		{"backlog", "trash", "MiB", backlogRule, func(s *Sample) float64 { return float64(s.TrashBytes) / mebibyte }, ""},
		{"trash", "parts", "number", queueRule, func(s *Sample) float64 { return float64(s.Trash) }, ""},
		{"memory", "resident", "MiB", memoryRule, func(s *Sample) float64 { return float64(s.Resident) / mebibyte }, ""},
		{"memory", "Go heap", "MiB", memoryRule, func(s *Sample) float64 { return float64(s.Heap) / mebibyte }, ""},
		{"counts", "goroutines", "number", countRule, func(s *Sample) float64 { return float64(s.Goroutines) }, ""},
		{"counts", "handles", "number", countRule, func(s *Sample) float64 { return float64(s.Handles) }, ""},
		{"calls", "all", "1/s", rule{}, func(s *Sample) float64 { return s.Rate }, ""},
	}
	for _, kind := range Kinds {
		r := latencyRule
		if kind == KindSlow { // waits for itself
			r = rule{}
		}
		all = append(all,
			curve{"p50", string(kind), "ms", rule{}, func(s *Sample) float64 { return percentile(s.Took[kind], 50) }, kind},
			curve{"p99", string(kind), "ms", r, func(s *Sample) float64 { return percentile(s.Took[kind], 99) }, kind})
	}
	return all
}

// in returns the samples that have a value: of a latency, those with such calls.
func (c *curve) in(samples []Sample) []Sample {
	if c.kind == "" {
		return samples
	}
	return slices.DeleteFunc(slices.Clone(samples), func(s Sample) bool { return len(s.Took[c.kind]) == 0 })
}

// Series returns all samples as series of a report over time.
func Series(samples []Sample) (all []report.Series) {
	unit := 100 * time.Millisecond // of the times, which must differ
	for i := 1; i < len(samples); i++ {
		if samples[i].At-samples[i-1].At < 2*unit {
			unit = time.Microsecond
			break
		}
	}
	for _, c := range curves() {
		for _, s := range c.in(samples) {
			seconds := math.Round(float64(s.At)/float64(unit)) * unit.Seconds()
			all = append(all, report.Series{
				Group: c.group, Axis: report.Seconds, Case: strconv.FormatFloat(seconds, 'g', 10, 64),
				Contender: c.name, Unit: c.unit, Values: []float64{c.of(&s)},
			})
		}
	}
	return all
}
