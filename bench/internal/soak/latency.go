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
		slices.Sort(took)
		of[kind] = Latency{Calls: len(took), P50: quantile(took, 0.50), P99: quantile(took, 0.99)}
	}
	return of
}

// A Latency is what the calls of a kind took in an interval.
type Latency struct {
	Calls    int
	P50, P99 time.Duration
}

// quantile is the least value that at least this share of the sorted values do not exceed.
func quantile(sorted []time.Duration, share float64) time.Duration {
	n := int(share * float64(len(sorted)))
	return sorted[min(n, len(sorted)-1)]
}
