package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
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

// unwrittenBlobs has an active volume that cannot be written, which shows only when it is sealed.
type unwrittenBlobs struct {
	*blob.Memory
	id     atomic.Uint64 // 0 if there is none
	sealed atomic.Bool
}

func (s *unwrittenBlobs) Volumes(ctx context.Context) ([]blob.VolumeInfo, error) {
	volumes, err := s.Memory.Volumes(ctx)
	if id := s.id.Load(); id != 0 {
		info := blob.VolumeInfo{ID: id, Bytes: 1000, Frames: 1, Size: 1000, DiskBytes: 1000, Active: true}
		volumes = slices.Insert(volumes, 0, info)
	}
	return volumes, err
}

func (s *unwrittenBlobs) Seal(ctx context.Context, volume uint64) error {
	if !s.id.CompareAndSwap(volume, 0) {
		return s.Memory.Seal(ctx, volume)
	}
	s.sealed.Store(true)
	return fmt.Errorf("%w: %d: %w", blob.ErrNoVolume, volume, errors.New("the server does not answer"))
}

// TestReclaimBesideUnwritten reclaims, alone and as a node, where a volume turns out not to be there
// when it is sealed. That is no error, and others give back what is dead in them all the same.
func TestReclaimBesideUnwritten(t *testing.T) {
	for name, o := range map[string]engine.Options{
		"alone": {}, "node": {Node: "node", Lease: lease, Keys: keys(t)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				blobs := &unwrittenBlobs{Memory: blob.NewMemory(100_000)}
				if err := blobs.NumberAfter(1); err != nil {
					t.Fatal(err)
				}
				e, err := engine.OpenStores(t.Context(), index.NewMemory(), blobs, &o)
				if err != nil {
					t.Fatal(err)
				}
				defer e.Close()
				blobs.id.Store(1)
				mustBucket(t, e, "bucket")
				mustPut(t, e, engine.PutObjectRequest{Key: "key", Body: bytes.NewReader(random(1, 300_000))})
				mustDelete(t, e, "bucket", "key")
				mustReclaim(t, e)
				if !blobs.sealed.Load() {
					t.Error("the volume was not sealed: the test has lost its grip")
				}
				if left, err := blobs.Volumes(t.Context()); err != nil || len(left) > 0 {
					t.Errorf("volumes are left: %+v, %v", left, err)
				}
			})
		})
	}
}
