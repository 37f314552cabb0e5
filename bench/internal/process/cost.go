package process

import (
	"runtime"
	"time"
)

// A Cost is what some work took: time, and of the whole process, whatever else it did meanwhile,
// processor time and bytes of Go's heap that were asked for.
type Cost struct {
	Time, CPU time.Duration
	Heap      int64
}

// Measure does some work and returns what it cost.
func Measure(work func() error) (Cost, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, clock := CPUTime(), time.Now()
	err := work()
	c := Cost{Time: time.Since(clock), CPU: CPUTime() - cpu}
	runtime.ReadMemStats(&after)
	c.Heap = int64(after.TotalAlloc - before.TotalAlloc)
	return c, err
}

// Rate is that of n bytes in a time, in 10^6 bytes a second.
func Rate(n int64, took time.Duration) float64 {
	return float64(n) / 1e6 / max(took.Seconds(), 1e-9)
}
