package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/gabion-storage/gabion/bench/internal/bytesize"
	"github.com/gabion-storage/gabion/bench/internal/report"
)

// totalAllocated is the bytes that were ever allocated on the heap.
func totalAllocated() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.TotalAlloc
}

// allocations are the bytes that contestants allocate, case by case.
type allocations struct {
	names []string
	texts [][]string // of each name, one a case
}

// add adds the next case of a contestant: the median of what its rounds took, shared by n.
func (a *allocations) add(name string, rounds []float64, n int) {
	i := slices.Index(a.names, name)
	if i < 0 {
		i = len(a.names)
		a.names, a.texts = append(a.names, name), append(a.texts, nil)
	}
	s := report.Series{Values: rounds}
	a.texts[i] = append(a.texts[i], bytesize.Human(int64(s.Median())/int64(n)))
}

// String names all in one line.
func (a *allocations) String() string {
	var all []string
	for i, name := range a.names {
		all = append(all, fmt.Sprintf("%s allocates %s", name, strings.Join(a.texts[i], ", ")))
	}
	return strings.Join(all, "; ")
}
