package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Sizes of what is sent.
const (
	putSize  = 4 << 10
	partSize = 100 << 10
	bigSize  = 16 << 20
)

// A measured case is one row of the table.
type measured struct {
	job           // but for what tells its processes apart
	number    int // of no other case
	what      string
	processes int
	total     int // calls of all processes

	rates, p50, p99 []float64 // of each round
}

// cases returns them all: what several processes do, and how one process does with fewer calls at a
// time and with more, which then share commits.
func cases(s *settings) []measured {
	var all []measured
	add := func(what, does string, size int64, parallel, processes, total int) {
		for _, client := range []string{gabion, straight} {
			all = append(all, measured{
				job: job{
					Client: client, Does: does, Size: size, Parallel: parallel,
					Index: s.index, Chunks: s.chunks,
				},
				number: len(all), what: what, processes: processes, total: total,
			})
		}
	}
	bigCalls := int(max(s.size/bigSize, 1))
	for processes := 1; processes <= s.processes; processes *= 2 {
		add("PutObject, 4 KiB", doesPut, putSize, 16, processes, s.calls)
	}
	for _, parallel := range []int{1, 4, 64} {
		add("PutObject, 4 KiB", doesPut, putSize, parallel, 1, s.calls/4)
	}
	for processes := 1; processes <= s.processes; processes *= 2 {
		add("UploadPart, 100 KiB", doesParts, partSize, 16, processes, s.calls)
	}
	for processes := 1; processes <= s.processes; processes *= 2 {
		add("UploadPart, 16 MiB", doesParts, bigSize, 4, processes, bigCalls)
		add("GetObject, 16 MiB", doesRead, bigSize, 4, processes, bigCalls)
	}
	return all
}

// measure has the processes do their share, all at once.
func (m *measured) measure(ctx context.Context, round int) error {
	share := max(m.total/m.processes, 1)
	jobs := make([]job, m.processes)
	for i := range jobs {
		jobs[i] = m.job
		jobs[i].Calls = share
		jobs[i].Node = fmt.Sprintf("bench-%d-%d-%d", m.number, round, i)
	}
	took, results, err := runAll(ctx, jobs)
	if err != nil {
		return err
	}
	var calls []time.Duration
	for _, r := range results {
		calls = append(calls, r.Calls...)
	}
	if len(calls) != share*m.processes {
		return fmt.Errorf("%d calls were made, not %d", len(calls), share*m.processes)
	}
	slices.Sort(calls)
	m.rates = append(m.rates, float64(len(calls))/took.Seconds())
	m.p50 = append(m.p50, milliseconds(calls[len(calls)/2]))
	m.p99 = append(m.p99, milliseconds(calls[len(calls)*99/100]))
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// row shows large calls as MB, since that is what bounds them.
func (m *measured) row() string {
	rates, unit := m.rates, "calls"
	if m.Size >= 1<<20 {
		rates, unit = nil, "MB"
		for _, r := range m.rates {
			rates = append(rates, r*float64(m.Size)/1e6)
		}
	}
	return fmt.Sprintf("| %s | %s | %d | %d | %s %s | %s | %s |",
		m.what, m.Client, m.processes, m.Parallel, spread(rates, 0), unit, spread(m.p50, 2), spread(m.p99, 2))
}

// spread is the median, the least and the most.
func spread(values []float64, digits int) string {
	sorted := slices.Sorted(slices.Values(values))
	return fmt.Sprintf("%.*f (%.*f-%.*f)",
		digits, sorted[len(sorted)/2], digits, sorted[0], digits, sorted[len(sorted)-1])
}
