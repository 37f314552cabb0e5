package engine_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// slowBlobs calls a function between the storing of a frame and the return of Put.
type slowBlobs struct {
	blob.Store
	stored func(ref blob.Ref)
}

func (b *slowBlobs) Put(ctx context.Context, id blob.ID, frame []byte) (blob.Ref, error) {
	ref, err := b.Store.Put(ctx, id, frame)
	if b.stored != nil && err == nil {
		b.stored(ref)
	}
	return ref, err
}

// TestReclaimBeforePin reclaims the volume that a chunk has just been stored in, before its part
// has come to say so. The chunk must be stored again.
func TestReclaimBeforePin(t *testing.T) {
	ctx := context.Background()
	blobs := &slowBlobs{Store: blob.NewMemory(1 << 20)}
	e, err := engine.OpenStores(t.Context(), index.NewMemory(), blobs, &engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	id := mustInitiate(t, e, "bucket", "key", "")
	removed := 0
	blobs.stored = func(ref blob.Ref) {
		if removed > 0 {
			return
		}
		for range 100 {
			if err := blobs.Sync(ctx, ref.Volume); errors.Is(err, blob.ErrNoVolume) {
				removed++
				return
			}
			mustReclaim(t, e)
		}
		t.Errorf("volume %d is not reclaimed: the test has lost its grip", ref.Volume)
	}
	body := random(1, 200_000)
	mustPart(t, e, "bucket", "key", id, 1, body)
	mustComplete(t, e, "bucket", "key", id)
	if removed != 1 || !bytes.Equal(readAll(t, e, "bucket", "key"), body) {
		t.Errorf("%d volumes were removed, or the object reads differently", removed)
	}
}
