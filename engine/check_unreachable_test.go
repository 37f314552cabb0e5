package engine_test

import (
	"context"
	"errors"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// unreachableBlobs are chunks whose server cannot be reached.
type unreachableBlobs struct {
	*blob.Memory
	gone bool
}

func (b *unreachableBlobs) Get(ctx context.Context, ref blob.Ref, buf []byte) ([]byte, error) {
	if b.gone {
		return nil, blob.ErrUnavailable
	}
	return b.Memory.Get(ctx, ref, buf)
}

// TestCheckUnreachable checks a store while its chunks cannot be read. That says nothing of what is
// stored: it is an error of the call, and no data is lost.
func TestCheckUnreachable(t *testing.T) {
	blobs := &unreachableBlobs{Memory: blob.NewMemory(0)}
	e := openStores(t, index.NewMemory(), blobs, &engine.Options{ChunkSize: 4 << 10})
	mustObject(t, e, "bucket", "key", "", random(1, 100<<10))
	blobs.gone = true
	res, err := e.Check(t.Context(), &engine.CheckRequest{Data: true})
	if !errors.Is(err, engine.ErrUnavailable) {
		t.Errorf("Check: %+v, %v, want ErrUnavailable", res, err)
	}
	blobs.gone = false
	if res, err = e.Check(t.Context(), &engine.CheckRequest{Data: true}); err != nil || len(res.Problems) > 0 {
		t.Errorf("Check when they can be reached again: %+v, %v", res, err)
	}
}
