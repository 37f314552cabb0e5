package engine_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// hookedBlobs call a function once before a volume is sealed.
type hookedBlobs struct {
	*blob.Memory
	hook func()
}

func (s *hookedBlobs) Seal(ctx context.Context, volume uint64) error {
	if hook := s.hook; hook != nil {
		s.hook = nil
		hook()
	}
	return s.Memory.Seal(ctx, volume)
}

// TestVolumeComesAliveBeforeItIsCondemned stores an object in a volume that reclaiming has found to
// be dead, but has not yet condemned. What it destroys must not be decided by what it saw before.
func TestVolumeComesAliveBeforeItIsCondemned(t *testing.T) {
	blobs := &hookedBlobs{Memory: blob.NewMemory(0)}
	e, err := engine.OpenStores(t.Context(), index.NewMemory(), blobs, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	mustBucket(t, e, "bucket")
	mustObject(t, e, "bucket", "goes", "", random(1, 300_000))
	mustDelete(t, e, "bucket", "goes")
	body := random(2, 300_000)
	hooked := false
	blobs.hook = func() {
		hooked = true
		mustObject(t, e, "bucket", "stays", "", body)
	}
	mustReclaim(t, e)
	if !hooked {
		t.Fatal("no volume was sealed: the test has lost its grip")
	}
	if got := readAll(t, e, "bucket", "stays"); !bytes.Equal(got, body) {
		t.Errorf("the object reads back wrong: %d bytes", len(got))
	}
	res, err := e.Check(t.Context(), &engine.CheckRequest{Data: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range res.Problems {
		t.Errorf("Check: %v", p)
	}
}
