package soak

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/gabion-storage/gabion/bench/internal/bytesize"
	"github.com/gabion-storage/gabion/engine"
)

// A Process is what the process takes. What the system does not tell is 0.
type Process struct {
	Resident   int64 // bytes
	Heap       int64 // bytes of Go's, in use
	Goroutines int
	Handles    int // open files
}

// A Sample is the state at one time, and what calls took in the interval before it.
type Sample struct {
	At    time.Duration // since the start
	Calls map[Kind]Latency
	Rate  float64 // calls a second, of all kinds

	Live   int64 // bytes that must be on disk: see the package comment
	Stored int64 // bytes that the engine calls live, those that are deleted and not swept yet too
	Disk   int64 // bytes that the directory takes
	Backlog
	Process
}

// Sample takes a sample. interval is how long it is since the last one.
func (w *World) Sample(ctx context.Context, at, interval time.Duration, p Process) (Sample, error) {
	s := Sample{At: at, Calls: w.latencies.take(), Process: p}
	calls := 0
	for _, l := range s.Calls {
		calls += l.Calls
	}
	if interval > 0 {
		s.Rate = float64(calls) / interval.Seconds()
	}
	before := w.Live()
	stats, err := w.engine.Stats(ctx, &engine.StatsRequest{})
	if err != nil {
		return Sample{}, err
	}
	// The disk was looked at between the two.
	s.Live = max(before, w.Live())
	s.Stored, s.Disk = stats.StoredBytes+stats.InlineBytes, stats.DiskBytes
	s.Backlog = backlogOf(stats)
	return s, nil
}

// A Curve is one value over time.
type Curve struct {
	Group  string
	Name   string
	Unit   string
	At     []time.Duration
	Values []float64

	rule Rule              // the zero rule: it need not level off
	took [][]time.Duration // of a p99: what the calls took that a value is of
}

// curves are all curves but those of latencies.
var curves = [...]struct {
	group, name, unit string
	rule              Rule
	of                func(*Sample) float64
}{
	{"disk", "live", "MiB", Rule{}, func(s *Sample) float64 { return mebibytes(s.Live) }},
	{"disk", "on disk", "MiB", Rule{}, func(s *Sample) float64 { return mebibytes(s.Disk) }},
	{"disk", "may be", "MiB", Rule{}, func(s *Sample) float64 { return mebibytes(int64(diskFactor*float64(s.Live)) + diskSlack) }},
	{"backlog", "dead", "MiB", backlogRule, func(s *Sample) float64 { return mebibytes(s.Dead) }},
	{"backlog", "trash", "MiB", backlogRule, func(s *Sample) float64 { return mebibytes(s.TrashBytes) }},
	{"trash", "parts", "number", queueRule, func(s *Sample) float64 { return float64(s.Trash) }},
	{"memory", "resident", "MiB", memoryRule, func(s *Sample) float64 { return mebibytes(s.Resident) }},
	{"memory", "Go heap", "MiB", memoryRule, func(s *Sample) float64 { return mebibytes(s.Heap) }},
	{"counts", "goroutines", "number", countRule, func(s *Sample) float64 { return float64(s.Goroutines) }},
	{"counts", "handles", "number", countRule, func(s *Sample) float64 { return float64(s.Handles) }},
	{"calls", "all", "1/s", Rule{}, func(s *Sample) float64 { return s.Rate }},
}

// Curves returns the curves of samples.
func Curves(samples []Sample) (all []Curve) {
	for _, c := range curves {
		all = append(all, curve(samples, Curve{Group: c.group, Name: c.name, Unit: c.unit, rule: c.rule}, c.of))
	}
	for _, kind := range Kinds {
		rule := latencyRule
		if kind == KindSlow { // waits for itself
			rule = Rule{}
		}
		p50, p99 := Curve{Group: "p50", Name: string(kind), Unit: "ms"}, Curve{Group: "p99", Name: string(kind), Unit: "ms", rule: rule}
		for i := range samples {
			if l, ok := samples[i].Calls[kind]; ok {
				p50.add(samples[i].At, milliseconds(l.P50))
				p99.add(samples[i].At, milliseconds(l.P99))
				p99.took = append(p99.took, l.took)
			}
		}
		all = append(all, p50, p99)
	}
	return all
}

func curve(samples []Sample, c Curve, of func(*Sample) float64) Curve {
	for i := range samples {
		c.add(samples[i].At, of(&samples[i]))
	}
	return c
}

func (c *Curve) add(at time.Duration, value float64) {
	c.At, c.Values = append(c.At, at), append(c.Values, value)
}

func mebibytes(n int64) float64            { return float64(n) / (1 << 20) }
func milliseconds(d time.Duration) float64 { return d.Seconds() * 1e3 }

// Print writes one line.
func (s *Sample) Print(w io.Writer) error {
	var b strings.Builder
	ratio := float64(s.Disk) / float64(max(s.Live, 1))
	fmt.Fprintf(&b, "%5.0fs %6.0f/s  live %s disk %s %.2fx stored %s %s",
		s.At.Seconds(), s.Rate, human(s.Live), human(s.Disk), ratio, human(s.Stored), s.Backlog.text())
	fmt.Fprintf(&b, "  rss %s heap %s gor %d fd %d ", human(s.Resident), human(s.Heap), s.Goroutines, s.Handles)
	for _, kind := range Kinds {
		if l, ok := s.Calls[kind]; ok {
			fmt.Fprintf(&b, " %s %d %.3g/%.3gms", kind, l.Calls, milliseconds(l.P50), milliseconds(l.P99))
		}
	}
	_, err := fmt.Fprintln(w, b.String())
	return err
}

func human(n int64) string { return strings.ReplaceAll(bytesize.Human(n), " ", "") }
