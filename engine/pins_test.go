package engine

import (
	"context"
	"errors"
	"testing"

	"github.com/gabion-storage/gabion/blob"
)

// TestPins is white box: the interleavings that condemning a volume guards against are too rare to
// meet from outside.
func TestPins(t *testing.T) {
	ctx := context.Background()
	id := blob.ID{1}
	in := func(volume uint64) blob.Ref { return blob.Ref{ID: id, Volume: volume, Size: 10} }
	known := func(volume uint64) func() (foundChunk, bool, error) {
		return func() (foundChunk, bool, error) { return foundChunk{ref: in(volume), durable: true}, true, nil }
	}
	unknown := func() (foundChunk, bool, error) { return foundChunk{}, false, nil }
	stored := func(volumes ...uint64) func() (blob.Ref, error) {
		return func() (blob.Ref, error) {
			if len(volumes) == 0 {
				t.Fatal("the chunk is stored although it was found")
			}
			ref := in(volumes[0])
			volumes = volumes[1:]
			return ref, nil
		}
	}
	bad := map[blob.Ref]bool{}
	p := newPins(func(ref blob.Ref) bool { return bad[ref] })
	hold := func(lookUp func() (foundChunk, bool, error), store func() (blob.Ref, error), want uint64, durable bool) {
		t.Helper()
		found, err := p.hold(ctx, id, lookUp, store)
		if err != nil || found.ref != in(want) || found.durable != durable {
			t.Errorf("hold: %+v, %v; wanted is volume %d, durable %t", found, err, want, durable)
		}
	}

	hold(known(1), stored(), 1, true)
	hold(unknown, stored(), 1, true) // shares the first
	if pinned := p.condemn(1); len(pinned) != 1 || pinned[0] != in(1) {
		t.Errorf("of a volume with a pinned chunk these are pinned: %v", pinned)
	}
	p.release(id)
	if len(p.condemn(1)) != 1 {
		t.Error("a volume is free that one of two still counts on")
	}
	p.release(id)
	if len(p.condemn(1)) > 0 || len(p.condemn(2)) > 0 {
		t.Error("a volume without pinned chunks is not free")
	}
	// What is known, or has just been stored, in a condemned volume may be gone any moment.
	hold(known(1), stored(2, 3), 3, false)
	if got := p.bytesIn(); len(got) != 1 || got[3] != 10 {
		t.Errorf("the pinned bytes are %v", got)
	}
	p.release(id)
	p.spare(1)
	hold(known(1), stored(), 1, true)
	p.release(id)

	// What was looked for, or stored, before a volume was trimmed may be a hole by now.
	trimming := func(volume uint64) func() (foundChunk, bool, error) {
		return func() (foundChunk, bool, error) {
			p.condemn(volume)
			p.spareTrimmed(volume)
			return foundChunk{ref: in(volume), durable: true}, true, nil
		}
	}
	hold(trimming(1), func() (blob.Ref, error) {
		if p.trimmed[5] == 0 {
			p.condemn(5)
			p.spareTrimmed(5)
		}
		return in(5), nil
	}, 5, false)
	p.release(id)
	hold(known(1), stored(), 1, true) // but not what is looked for now
	p.release(id)

	failure := errors.New("no luck")
	if _, err := p.hold(ctx, id, unknown, func() (blob.Ref, error) { return blob.Ref{}, failure }); err != failure {
		t.Errorf("hold of what cannot be stored: %v", err)
	}
	hold(unknown, stored(3), 3, false)
	p.release(id)

	// What turns out to be bad is looked for again, once, by the next who asks.
	hold(known(1), stored(), 1, true)
	bad[in(1)] = true
	if _, err := p.hold(ctx, id, unknown, func() (blob.Ref, error) { return blob.Ref{}, failure }); err != failure {
		t.Errorf("hold of what is bad and cannot be stored: %v", err)
	}
	hold(unknown, stored(4), 4, false)
	hold(unknown, stored(), 4, false)
	for range 3 {
		p.release(id)
	}
	if len(p.byID) != 0 {
		t.Errorf("%d pins are left", len(p.byID))
	}
}
