package engine_test

import (
	"context"
	"sync"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// woundedBlobs cannot read what is in some volumes, or do not have these.
type woundedBlobs struct {
	*blob.Memory
	mu         sync.Mutex // guards what follows
	unreadable map[uint64]bool
}

func (b *woundedBlobs) Get(ctx context.Context, ref blob.Ref, buf []byte) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.unreadable[ref.Volume] {
		return nil, &blob.CorruptionError{Volume: ref.Volume, ID: ref.ID, Reason: "wounded"}
	}
	return b.Memory.Get(ctx, ref, buf)
}

// TestCopyCostsLittleAfterHealing counts what a copy by reference reads of the index before anything
// is damaged, while something is, and when that was stored anew, or could be read after all. Only
// while something is damaged it is to look at every chunk.
func TestCopyCostsLittleAfterHealing(t *testing.T) {
	store := func(t *testing.T, e *engine.Engine, _ *woundedBlobs) {
		mustObject(t, e, "heal", "healed", "", random(1, 64<<10))
	}
	for name, c := range map[string]struct {
		wound func(*testing.T, *woundedBlobs, uint64)
		heal  func(*testing.T, *engine.Engine, *woundedBlobs)
	}{
		"unreadable, and stored anew": {
			func(_ *testing.T, b *woundedBlobs, volume uint64) { b.unreadable[volume] = true }, store,
		},
		"unreadable, and read again": {
			func(_ *testing.T, b *woundedBlobs, volume uint64) { b.unreadable[volume] = true },
			func(t *testing.T, e *engine.Engine, b *woundedBlobs) {
				clear(b.unreadable)
				if res := checkAll(t, e); len(res.Problems) > 0 {
					t.Errorf("Check: %v", res.Problems)
				}
			},
		},
		"lost with its volume, and stored anew": {
			func(t *testing.T, b *woundedBlobs, volume uint64) {
				if err := b.Remove(t.Context(), volume); err != nil {
					t.Fatal(err)
				}
			}, store,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := &shortage{}
			idx, blobs := shortIndex{index.NewMemory(), s}, &woundedBlobs{Memory: blob.NewMemory(0), unreadable: map[uint64]bool{}}
			e, err := engine.OpenStores(t.Context(), idx, blobs, &engine.Options{ChunkSize: 4 << 10})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			mustObject(t, e, "heal", "hit", "", random(1, 64<<10))
			var volume uint64
			for _, rec := range chunkRecords(t, idx) {
				volume = rec.Volume
			}
			if err := blobs.Seal(t.Context(), volume); err != nil {
				t.Fatal(err)
			}
			mustObject(t, e, "heal", "large", "", random(2, 1000*4<<10))
			cost := func() int64 { // with a few reads of who sweeps
				s.arm(0)
				mustCopy(t, e, engine.CopyObjectRequest{Bucket: "heal", Key: "copy", SourceBucket: "heal", SourceKey: "large"})
				return s.reads.Load()
			}
			before := cost()
			c.wound(t, blobs, volume)
			wantDamaged(t, e, "hit")
			if now := cost(); now < before+1000 {
				t.Errorf("while something is damaged a copy takes %d reads, and %d before: the test has lost its grip", now, before)
			}
			c.heal(t, e, blobs)
			if now := cost(); now > before+500 {
				t.Errorf("when nothing is damaged any more a copy takes %d reads, and took %d before", now, before)
			}
		})
	}
}
