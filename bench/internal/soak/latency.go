package soak

import (
	"slices"
	"sync"
	"time"
)

// latencies are what calls took since they were last taken.
type latencies struct {
	mu    sync.Mutex // guards calls
	calls map[Kind][]time.Duration
}

func (l *latencies) add(kind Kind, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calls == nil {
		l.calls = map[Kind][]time.Duration{}
	}
	l.calls[kind] = append(l.calls[kind], d)
}

// take returns what calls took since the last take.
func (l *latencies) take() map[Kind]Latency {
	l.mu.Lock()
	calls := l.calls
	l.calls = nil
	l.mu.Unlock()
	of := map[Kind]Latency{}
	for kind, took := range calls {
		of[kind] = LatencyOf(took)
	}
	return of
}

// A Latency is what the calls of a kind took in an interval.
type Latency struct {
	Calls    int
	P50, P99 time.Duration

	took []time.Duration // by each
}

// LatencyOf returns what calls took, of which there is at least one.
func LatencyOf(took []time.Duration) Latency {
	sorted := slices.Sorted(slices.Values(took))
	return Latency{Calls: len(took), P50: quantile(sorted, 50), P99: quantile(sorted, 99), took: took}
}

// quantile is the least value that at least so many per cent of the sorted values do not exceed.
func quantile(sorted []time.Duration, percent int) time.Duration {
	return sorted[max((len(sorted)*percent+99)/100, 1)-1]
}

// pooledP99 is the p99 of the calls of several intervals together, in milliseconds.
func pooledP99(intervals [][]time.Duration) float64 {
	return milliseconds(LatencyOf(slices.Concat(intervals...)).P99)
}
