package engine

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine/internal/ledger"
	"github.com/gabion-storage/gabion/index"
)

// TestWhatDamageIs tells failed reads that say something about what was read from those that do
// not.
func TestWhatDamageIs(t *testing.T) {
	for _, test := range []struct {
		err  error
		want bool
	}{
		{&blob.CorruptionError{Reason: "checksum"}, true},
		{&blob.CorruptionError{Err: syscall.EIO}, true},
		{&CorruptionError{Err: errors.New("address")}, true},
		{fmt.Errorf("reading: %w", &blob.CorruptionError{}), true},
		{fmt.Errorf("opening: %w", syscall.EMFILE), false},
		{&blob.CorruptionError{Err: context.Canceled}, false},
		{blob.ErrClosed, false},
		{&index.CorruptionError{}, false}, // of a record, not of a place
		{errors.New("anything"), false},
	} {
		if got := isDamage(test.err); got != test.want {
			t.Errorf("isDamage(%v) is %t", test.err, got)
		}
	}
}

// TestDamageIsBounded notes more than is kept.
func TestDamageIsBounded(t *testing.T) {
	idx, blobs := index.NewMemory(), blob.NewMemory(0)
	defer idx.Close()
	defer blobs.Close()
	d := newDamage(blobs, idx, func(err error) { t.Error(err) })
	failed := map[blob.Ref]error{}
	for i := range uint32(badPlaces + 1000) {
		failed[blob.Ref{Volume: 1, Offset: i}] = &blob.CorruptionError{}
	}
	d.note(context.Background(), failed)
	if len(d.bad) != badPlaces {
		t.Errorf("%d places are kept, %d is the limit", len(d.bad), badPlaces)
	}
	if ref := (blob.Ref{Volume: 1, Offset: 1 << 20}); d.Known(ref) == nil {
		t.Error("that the volume is missing was not noticed")
	}
	if len(d.proven) != provenPlaces {
		t.Errorf("%d places are proven", len(d.proven))
	}
}

// A returningVolume is a store that does not find a volume, or cannot read it, as long as that is so.
type returningVolume struct {
	*blob.Memory
	lost   bool
	damage error
}

func (s *returningVolume) Volumes(ctx context.Context) ([]blob.VolumeInfo, error) {
	infos, err := s.Memory.Volumes(ctx)
	if s.lost {
		return nil, err
	}
	for i := range infos {
		infos[i].Damage = s.damage
	}
	return infos, err
}

// TestClearedVolume clears a place in a volume that was bad as a whole, and of which nothing could be
// moved: it is bad as long as the store says so, and no longer.
func TestClearedVolume(t *testing.T) {
	ctx := context.Background()
	idx := index.NewMemory()
	defer idx.Close()
	blobs := &returningVolume{Memory: blob.NewMemory(0), lost: true}
	defer blobs.Close()
	ref, err := blobs.Put(ctx, blob.ID{1}, []byte("frame"))
	if err != nil {
		t.Fatal(err)
	}
	d := newDamage(blobs, idx, func(err error) { t.Error(err) })
	d.noteOne(ctx, ref, &blob.CorruptionError{})
	d.setStuck(ref.Volume, 5)
	d.setStuck(ref.Volume+1, 5)
	clear := func() {
		t.Helper()
		if err := d.clear(ctx, []blob.Ref{ref}); err != nil {
			t.Fatal(err)
		}
	}
	if clear(); d.Known(ref) == nil {
		t.Error("the volume is missing, and not bad")
	}
	blobs.lost, blobs.damage = false, errors.New("it cannot be read")
	if clear(); d.Known(ref) == nil {
		t.Error("the volume cannot be read, and is not bad")
	}
	blobs.damage = nil
	clear()
	if err := d.Known(ref); err != nil {
		t.Errorf("the volume is there and read, and bad: %v", err)
	}
	if d.isStuck(ref.Volume, 5) || !d.isStuck(ref.Volume+1, 5) {
		t.Error("what lives in the volume is stuck, or that in another is not")
	}
}

// A failingProbe is a store whose frames cannot be proved, for a reason that is the process's own.
type failingProbe struct {
	*blob.Memory
	err error
}

func (s *failingProbe) Probe(context.Context, blob.Ref) error { return s.err }

// TestPassingErrorsAreNoDamage fails the proof for want of file handles, and then no more.
func TestPassingErrorsAreNoDamage(t *testing.T) {
	ctx := context.Background()
	idx := index.NewMemory()
	defer idx.Close()
	blobs := &failingProbe{blob.NewMemory(0), fmt.Errorf("opening: %w", syscall.EMFILE)}
	defer blobs.Close()
	ref, err := blobs.Put(ctx, blob.ID{1}, []byte("frame"))
	if err != nil {
		t.Fatal(err)
	}
	d := newDamage(blobs, idx, func(err error) { t.Error(err) })
	err = idx.Update(ctx, func(tx index.Tx) error {
		page := index.Page{Chunks: []index.PageChunk{{ID: index.ChunkID(ref.ID)}}}
		return ledger.PutPage(
			tx, d, index.ManifestID{}, 0, &page, func(int) blob.Ref { return ref },
		)
	})
	if err != nil {
		t.Fatal(err)
	}
	chunks := &storedChunks{index: idx, blobs: blobs, damage: d}
	if _, ok, err := chunks.find(ctx, [32]byte{1}); ok || !errors.Is(err, syscall.EMFILE) {
		t.Errorf("looking without file handles: %t, %v", ok, err)
	}
	blobs.err = nil
	if found, ok, err := chunks.find(ctx, [32]byte{1}); !ok || err != nil || found != ref {
		t.Errorf("looking afterwards: %+v, %t, %v", found, ok, err)
	}
}
