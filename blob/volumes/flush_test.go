package volumes_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/blob/blobtest"
	"github.com/gabion-storage/gabion/blob/volumes"
)

// TestFailedSync breaks the handle that a volume is flushed through, once.
func TestFailedSync(t *testing.T) { forKinds(t, testFailedSync) }

func testFailedSync(t *testing.T, k volumes.Kind) {
	s := open(t, t.TempDir(), &volumes.Options{Kind: k, Writers: 1})
	defer s.Close()
	ctx := context.Background()
	id, frame := blobtest.Frame(1, 1000)
	first, err := s.Put(ctx, id, frame)
	if err != nil {
		t.Fatal(err)
	}
	volumes.BreakSync(s, first.Volume)
	if err := s.Sync(ctx, first.Volume); err == nil {
		t.Fatal("Sync succeeded through a closed file")
	}
	if err := s.Sync(ctx, first.Volume); err == nil {
		t.Error("a volume whose sync failed was called durable later")
	}
	id, frame = blobtest.Frame(2, 1000)
	second, err := s.Put(ctx, id, frame)
	if err != nil {
		t.Fatal(err)
	}
	if second.Volume == first.Volume {
		t.Error("a volume whose sync failed takes writes")
	}
	if err := s.Sync(ctx, second.Volume); err != nil {
		t.Errorf("Sync of the next volume: %v", err)
	}
}

// TestFailedWrite breaks the handle that a volume is written through. The put that hits it must
// fail, and the volume with it: what it was given before is not known to be safe.
func TestFailedWrite(t *testing.T) { forKinds(t, testFailedWrite) }

func testFailedWrite(t *testing.T, k volumes.Kind) {
	s := open(t, t.TempDir(), &volumes.Options{Kind: k, Writers: 1})
	ctx := context.Background()
	put := func(seed uint64) (blob.Ref, error) {
		id, frame := blobtest.Frame(seed, 1000)
		return s.Put(ctx, id, frame)
	}
	first, err := put(1)
	if err != nil {
		t.Fatal(err)
	}
	volumes.BreakSync(s, first.Volume)
	if _, err := put(2); err == nil {
		t.Fatal("Put succeeded through a closed file")
	}
	next, err := put(3)
	if err != nil || next.Volume == first.Volume {
		t.Errorf("the next put went to volume %d, %v; the one that failed is %d", next.Volume, err, first.Volume)
	}
	if err := s.Sync(ctx, first.Volume); err == nil {
		t.Error("a volume that could not be written was called durable")
	}
	if err := s.Sync(ctx, next.Volume); err != nil {
		t.Errorf("Sync of the next volume: %v", err)
	}
	if err := s.Close(); err == nil {
		t.Error("Close called everything durable")
	}
}

// TestTrimAfterFailedSync trims a volume whose sync failed. Its log has no end, and never gets one
// before the next Open: so it cannot be trimmed, and the caller must learn that what lives in it is
// to be copied.
func TestTrimAfterFailedSync(t *testing.T) { forKinds(t, testTrimAfterFailedSync) }

func testTrimAfterFailedSync(t *testing.T, k volumes.Kind) {
	s := open(t, t.TempDir(), &volumes.Options{Kind: k, Writers: 1})
	defer s.Close()
	ctx := context.Background()
	var refs []blob.Ref
	for seed := range uint64(2) {
		if seed == 1 {
			if err := s.Sync(ctx, refs[0].Volume); err != nil {
				t.Fatal(err)
			}
		}
		id, frame := blobtest.Frame(seed, testFrameSize)
		ref, err := s.Put(ctx, id, frame)
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, ref)
	}
	volume := refs[0].Volume
	volumes.BreakSync(s, volume)
	if err := s.Sync(ctx, volume); err == nil {
		t.Fatal("Sync succeeded through a closed file")
	}
	if err := s.Seal(ctx, volume); err != nil {
		t.Fatal(err)
	}
	freed, err := s.Trim(ctx, volume, refs[:1])
	if freed != 0 || !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Trim gave %d bytes back, %v; wanted is ErrUnsupported", freed, err)
	}
	if n := readable(t, s, refs[:1]); n != 1 {
		t.Error("what was synced before cannot be read")
	}
	if err := s.Remove(ctx, volume); err != nil {
		t.Errorf("Remove: %v", err)
	}
}

// TestSyncDuringFlush calls Sync while a flush is under way that began before the last put: it must
// not take that one's success for its own.
func TestSyncDuringFlush(t *testing.T) { forKinds(t, testSyncDuringFlush) }

func testSyncDuringFlush(t *testing.T, k volumes.Kind) {
	s := open(t, t.TempDir(), &volumes.Options{Kind: k, Writers: 1})
	defer s.Close()
	id, frame := blobtest.Frame(1, 1000)
	ref, err := s.Put(context.Background(), id, frame)
	if err != nil {
		t.Fatal(err)
	}
	end := volumes.HoldFlush(s, ref.Volume)
	if _, err := s.Put(context.Background(), id, frame); err != nil {
		t.Fatal(err)
	}
	volumes.BreakSync(s, ref.Volume) // a flush of its own shows by failing
	synced := make(chan error)
	go func() { synced <- s.Sync(context.Background(), ref.Volume) }()
	select {
	case err := <-synced:
		t.Fatalf("Sync did not wait for the flush under way: %v", err)
	case <-time.After(20 * time.Millisecond): // until it waits
	}
	end()
	if err := <-synced; err == nil {
		t.Error("Sync returned without a flush that began after the put")
	}
}

// TestSealDuringFlush seals a volume that has failed while others flush it: its file is theirs
// until then.
func TestSealDuringFlush(t *testing.T) { forKinds(t, testSealDuringFlush) }

func testSealDuringFlush(t *testing.T, k volumes.Kind) {
	ctx := context.Background()
	s := open(t, t.TempDir(), &volumes.Options{Kind: k, Writers: 1})
	defer s.Close()
	id, frame := blobtest.Frame(1, 1000)
	ref, err := s.Put(ctx, id, frame)
	if err != nil {
		t.Fatal(err)
	}
	end := volumes.HoldFlush(s, ref.Volume)
	volumes.BreakSync(s, ref.Volume)
	if _, err := s.Put(ctx, id, frame); err == nil {
		t.Fatal("Put succeeded through a closed file")
	}
	soon, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if err := s.Seal(soon, ref.Volume); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Seal did not wait for the flush under way: %v", err)
	}
	end()
	if err := s.Seal(ctx, ref.Volume); err != nil {
		t.Error(err)
	}
}
