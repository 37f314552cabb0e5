package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// gatheredBlobs let no Get go on until several are under way, or the time is over. Then they end in
// the order opposite to that in which they came. Some fail.
type gatheredBlobs struct {
	*blob.Memory
	wanted int // 0: none waits
	damage func(blob.Ref) bool

	mu          sync.Mutex // guards the fields below
	waiting     []chan struct{}
	under, most int   // Gets
	size, large int64 // of what they read, in bytes
	late        bool
}

func (g *gatheredBlobs) Get(ctx context.Context, ref blob.Ref, buf []byte) ([]byte, error) {
	g.come(ctx, int64(ref.Size))
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.under, g.size = g.under-1, g.size-int64(ref.Size)
	}()
	if g.damage != nil && g.damage(ref) {
		return nil, &blob.CorruptionError{Volume: ref.Volume, ID: ref.ID, Reason: "by the test"}
	}
	return g.Memory.Get(ctx, ref, buf)
}

func (g *gatheredBlobs) come(ctx context.Context, size int64) {
	g.mu.Lock()
	g.under, g.size = g.under+1, g.size+size
	g.most, g.large = max(g.most, g.under), max(g.large, g.size)
	if g.under >= g.wanted || g.late {
		for _, w := range slices.Backward(g.waiting) {
			close(w)
		}
		g.waiting = nil
		g.wanted = 0
		g.mu.Unlock()
		return
	}
	mine := make(chan struct{})
	g.waiting = append(g.waiting, mine)
	g.mu.Unlock()
	select {
	case <-mine:
	case <-ctx.Done():
	case <-time.After(20 * time.Second): // only where they are too few
		g.mu.Lock()
		defer g.mu.Unlock()
		g.late = true
	}
}

// TestCheckReadsAhead checks objects of several chunks, and of one. Their frames are read many at a
// time, within a share of the budget, also from one object to the next.
func TestCheckReadsAhead(t *testing.T) {
	const chunk, budget = 4 << 10, 4 << 20
	for _, test := range []struct {
		name          string
		objects, size int
	}{
		{"objects of many chunks", 2, 50 * chunk},
		{"objects of nine chunks", 20, 9 * chunk},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := &gatheredBlobs{Memory: blob.NewMemory(0)}
			e := openStores(t, index.NewMemory(), g, &engine.Options{ChunkSize: chunk, MemoryBudget: budget})
			mustBucket(t, e, "bucket")
			for i := range test.objects {
				mustPut(t, e, engine.PutObjectRequest{
					Bucket: "bucket", Key: fmt.Sprint(i), Body: bytes.NewReader(random(uint64(i+1), test.size)),
				})
			}
			g.mu.Lock()
			g.wanted = 32
			g.mu.Unlock()
			res, err := e.Check(t.Context(), &engine.CheckRequest{Data: true})
			if err != nil || len(res.Problems) > 0 || res.Bytes != int64(test.objects*test.size) {
				t.Fatalf("Check: %+v, %v", res, err)
			}
			g.mu.Lock()
			defer g.mu.Unlock()
			if g.late || g.most != 32 {
				t.Errorf("%d frames are read at a time, 32 should be", g.most)
			}
			if g.large > budget/8 {
				t.Errorf("the frames that are read at a time have %d bytes", g.large)
			}
		})
	}
}

// TestCheckBoundsReadAhead has chunks of which the budget lets few be read at a time.
func TestCheckBoundsReadAhead(t *testing.T) {
	const chunk, budget = 256 << 10, 8 << 20
	g := &gatheredBlobs{Memory: blob.NewMemory(0)}
	e := openStores(t, index.NewMemory(), g, &engine.Options{ChunkSize: chunk, MemoryBudget: budget})
	mustBucket(t, e, "bucket")
	mustPut(t, e, engine.PutObjectRequest{Bucket: "bucket", Key: "key", Body: bytes.NewReader(random(1, 30*chunk))})
	g.mu.Lock()
	g.wanted = 3
	g.mu.Unlock()
	res, err := e.Check(t.Context(), &engine.CheckRequest{Data: true})
	if err != nil || len(res.Problems) > 0 {
		t.Fatalf("Check: %+v, %v", res, err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.late || g.large > budget/8 {
		t.Errorf("%d frames of %d bytes are read at a time, the budget is for %d bytes", g.most, g.large, budget/8)
	}
}

// TestCheckFindsInOrder has chunks damaged here and there, of which some are in several objects. However
// their reads end, it finds the same in the same order, and what is not damaged is all read.
func TestCheckFindsInOrder(t *testing.T) {
	const chunk = 4 << 10
	find := func(wanted int) (found []string) {
		t.Helper()
		g := &gatheredBlobs{Memory: blob.NewMemory(0)}
		e, err := engine.OpenStores(t.Context(), index.NewMemory(), g, &engine.Options{ChunkSize: chunk})
		if err != nil {
			t.Fatal(err)
		}
		defer mustClose(t, e)
		mustBucket(t, e, "bucket")
		for i := range 30 {
			body := slices.Concat(random(uint64(i+1), 12*chunk), random(uint64(i%7+100), 3*chunk))
			mustPut(t, e, engine.PutObjectRequest{Bucket: "bucket", Key: fmt.Sprintf("%02d", i), Body: bytes.NewReader(body)})
		}
		g.mu.Lock()
		g.wanted, g.damage = wanted, func(ref blob.Ref) bool { return ref.ID[0]%32 == 0 }
		g.mu.Unlock()
		res, err := e.Check(t.Context(), &engine.CheckRequest{Data: true})
		if err != nil || len(res.Problems) == 0 || len(res.Problems) == 30 {
			t.Fatalf("Check: %+v, %v", res, err)
		}
		for _, p := range res.Problems {
			var damage *engine.CorruptionError
			if !errors.As(p.Err, &damage) {
				t.Fatalf("it finds %v", p)
			}
			found = append(found, fmt.Sprint(p.Kind, p.Key, p.PartNumber, damage.What))
		}
		return append(found, fmt.Sprint(res.Bytes))
	}
	one, many := find(0), find(32)
	if !slices.Equal(one, many) {
		t.Errorf("it finds %q, and %q when reads end in another order", one, many)
	}
	if !slices.IsSorted(one[:len(one)-1]) {
		t.Errorf("it finds %q, not in the order of the objects", one)
	}
}
