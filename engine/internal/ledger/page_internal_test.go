package ledger

import (
	"math/bits"
	"math/rand/v2"
	"testing"
)

// TestSearchPages finds every offset, whatever the sizes of the pages and the guess, by few reads.
func TestSearchPages(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for pages := 1; pages < 40; pages++ {
		starts := []int64{0}
		for range pages {
			starts = append(starts, starts[len(starts)-1]+rng.Int64N(5)*rng.Int64N(2)) // some are empty
		}
		size := starts[pages]
		for at := range size {
			reads := 0
			var start, end int64
			found, err := SearchPages(pages, rng.IntN(2*pages), at, func(n int) (int64, int64, error) {
				reads++
				start, end = starts[n], starts[n+1]
				return start, end, nil
			})
			if !found || err != nil || at < start || at >= end || reads > bits.Len(uint(pages))+1 {
				t.Fatalf("%d of %v: %t, %v, page %d to %d, %d reads", at, starts, found, err, start, end, reads)
			}
		}
	}
	if found, err := SearchPages(3, 0, 7, func(int) (int64, int64, error) { return 0, 7, nil }); found || err != nil {
		t.Errorf("what is on no page: %t, %v", found, err)
	}
}
