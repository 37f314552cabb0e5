package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/gabion-storage/gabion/engine"
)

// TestSustainedOverwriting overwrites a few objects from many clients, GABION_OVERWRITES times, as
// fast as it goes: the disk must hold little more than what lives.
func TestSustainedOverwriting(t *testing.T) {
	const clients, size = 64, 100_000
	e := openTemp(t, nil)
	mustBucket(t, e, "bucket")
	total := rounds(t, "GABION_OVERWRITES", 6000)
	var most int64
	var mu sync.Mutex
	next := 0
	var all sync.WaitGroup
	for c := range clients {
		all.Go(func() {
			for {
				mu.Lock()
				n := next
				next++
				mu.Unlock()
				if n >= total {
					return
				}
				body := random(uint64(n), size)
				_, err := e.PutObject(context.Background(), &engine.PutObjectRequest{
					Bucket: "bucket", Key: fmt.Sprint(c), Body: bytes.NewReader(body),
				})
				if err != nil {
					t.Error(err)
					return
				}
				if n%200 == 0 {
					disk := stats(t, e).DiskBytes
					mu.Lock()
					most = max(most, disk)
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	const limit = clients*size*3/2 + 256<<20
	t.Logf("%d puts, at most %d bytes on disk", total, most)
	if most > limit {
		t.Errorf("%d bytes were on disk, want at most %d", most, limit)
	}
}
