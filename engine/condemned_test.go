package engine_test

import (
	"bytes"
	"context"
	"testing"
	"time"

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

// TestCondemnedAreForgotten removes volumes over and over. An engine alone knows none of them afterwards.
func TestCondemnedAreForgotten(t *testing.T) {
	e := openStores(t, index.NewMemory(), blob.NewMemory(64<<10), nil)
	mustBucket(t, e, "bucket")
	for seed := range uint64(20) {
		mustPut(t, e, engine.PutObjectRequest{Bucket: "bucket", Key: "key", Body: bytes.NewReader(random(seed, 300_000))})
		mustDelete(t, e, "bucket", "key")
		mustReclaim(t, e)
		if n := e.CondemnedHere(); n > 0 {
			t.Fatalf("%d volumes are condemned after Reclaim number %d", n, seed+1)
		}
	}
}

// TestSharedCondemnedAreForgotten is of two nodes, one of which reclaims. Each knows no more volumes as
// condemned than were so since the last round.
func TestSharedCondemnedAreForgotten(t *testing.T) {
	inFleet(t, func(f *fleet) {
		a, b := f.open("a"), f.open("b")
		mustBucket(f, a.Engine, "bucket")
		first := 0
		for seed := range uint64(12) {
			for _, n := range []*node{a, b} {
				mustPut(f, n.Engine, engine.PutObjectRequest{Bucket: "bucket", Key: "key", Body: bytes.NewReader(random(seed, 100_000))})
			}
			mustDelete(f, a.Engine, "bucket", "key")
			mustReclaim(f, a.Engine)
			time.Sleep(2 * lease)
			if seed < 2 {
				first = max(first, a.CondemnedHere(), b.CondemnedHere())
			}
			if here, there := a.CondemnedHere(), b.CondemnedHere(); here > 2*first || there > 2*first {
				f.Fatalf("after round %d the nodes know %d and %d volumes as condemned, at first %d", seed+1, here, there, first)
			}
		}
		if first == 0 {
			f.Error("nothing was condemned: the test has lost its grip")
		}
	})
}
