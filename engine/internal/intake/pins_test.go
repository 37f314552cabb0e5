package intake

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
	known := func(volume uint64) func() (location, bool, error) {
		return func() (location, bool, error) {
			return location{ref: in(volume), durable: true}, true, nil
		}
	}
	unknown := func() (location, bool, error) { return location{}, false, nil }
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
	p := NewPins(func(ref blob.Ref) bool { return bad[ref] })
	pin := func(
		lookUp func() (location, bool, error), store func() (blob.Ref, error), want uint64,
		durable bool,
	) {
		t.Helper()
		at, err := p.pin(ctx, id, lookUp, store)
		if err != nil || at.ref != in(want) || at.durable != durable {
			t.Errorf("pin: %+v, %v; wanted is volume %d, durable %t", at, err, want, durable)
		}
	}

	pin(known(1), stored(), 1, true)
	pin(unknown, stored(), 1, true) // shares the first
	if pinned := p.Condemn(1); len(pinned) != 1 || pinned[0] != in(1) {
		t.Errorf("of a volume with a pinned chunk these are pinned: %v", pinned)
	}
	p.unpin(id)
	if len(p.Condemn(1)) != 1 {
		t.Error("a volume is free that one of two still counts on")
	}
	p.unpin(id)
	if len(p.Condemn(1)) > 0 || len(p.Condemn(2)) > 0 {
		t.Error("a volume without pinned chunks is not free")
	}
	// What is known, or has just been stored, in a condemned volume may be gone any moment.
	pin(known(1), stored(2, 3), 3, false)
	if got := p.BytesIn(); len(got) != 1 || got[3] != 10 {
		t.Errorf("the pinned bytes are %v", got)
	}
	p.unpin(id)
	p.Spare(1)
	pin(known(1), stored(), 1, true)
	p.unpin(id)

	// What was looked for, or stored, before a volume was trimmed may be a hole by now.
	trimming := func(volume uint64) func() (location, bool, error) {
		return func() (location, bool, error) {
			p.Condemn(volume)
			p.SpareTrimmed(volume)
			return location{ref: in(volume), durable: true}, true, nil
		}
	}
	pin(trimming(1), func() (blob.Ref, error) {
		if p.trimmed[5] == 0 {
			p.Condemn(5)
			p.SpareTrimmed(5)
		}
		return in(5), nil
	}, 5, false)
	p.unpin(id)
	pin(known(1), stored(), 1, true) // but not what is looked for now
	p.unpin(id)

	failure := errors.New("no luck")
	failing := func() (blob.Ref, error) { return blob.Ref{}, failure }
	if _, err := p.pin(ctx, id, unknown, failing); err != failure {
		t.Errorf("pin of what cannot be stored: %v", err)
	}
	pin(unknown, stored(3), 3, false)
	p.unpin(id)

	// What turns out to be bad is looked for again, once, by the next who asks.
	pin(known(1), stored(), 1, true)
	bad[in(1)] = true
	if _, err := p.pin(ctx, id, unknown, failing); err != failure {
		t.Errorf("pin of what is bad and cannot be stored: %v", err)
	}
	pin(unknown, stored(4), 4, false)
	pin(unknown, stored(), 4, false)
	for range 3 {
		p.unpin(id)
	}
	if n := p.Count(); n != 0 {
		t.Errorf("%d pins are left", n)
	}
}

// TestPinsCondemnedForGood condemns a volume for good in which a chunk is pinned, and in which
// another is being looked for. Nobody comes to count on either any more.
func TestPinsCondemnedForGood(t *testing.T) {
	ctx := context.Background()
	p := NewPins(func(blob.Ref) bool { return false })
	unknown := func() (location, bool, error) { return location{}, false, nil }
	storedIn := func(id blob.ID, volume uint64) func() (blob.Ref, error) {
		return func() (blob.Ref, error) { return blob.Ref{ID: id, Volume: volume}, nil }
	}
	old, late := blob.ID{1}, blob.ID{2}
	if at, err := p.pin(ctx, old, unknown, storedIn(old, 1)); err != nil || at.ref.Volume != 1 {
		t.Fatalf("pin: %+v, %v", at, err)
	}
	finding := func() (location, bool, error) {
		p.CondemnForGood(1)
		return location{ref: blob.Ref{ID: late, Volume: 1}, durable: true}, true, nil
	}
	if at, err := p.pin(ctx, late, finding, storedIn(late, 2)); err != nil || at.ref.Volume != 2 {
		t.Errorf("what was found while its volume was condemned is pinned at %+v, %v", at, err)
	}
	if at, err := p.pin(ctx, old, unknown, storedIn(old, 3)); err != nil || at.ref.Volume != 3 {
		t.Errorf("what others have pinned in a condemned volume is pinned at %+v, %v", at, err)
	}
	for _, id := range []blob.ID{old, old, late} {
		p.unpin(id)
	}
	if n := p.Count(); n != 0 {
		t.Errorf("%d pins are left", n)
	}
}

// TestPinsForgetRemoved removes volumes while chunks are being looked for, each search beginning before
// the one before it has ended. The condemnation of a volume stays as long as somebody may have found a
// chunk in it, and no longer.
func TestPinsForgetRemoved(t *testing.T) {
	p := NewPins(func(blob.Ref) bool { return false })
	begin := func(id byte) (end func(found uint64) location) {
		looking, found, placed := make(chan struct{}), make(chan uint64), make(chan location)
		go func() {
			ref := func(v uint64) blob.Ref { return blob.Ref{ID: blob.ID{id}, Volume: v} }
			at, err := p.pin(t.Context(), blob.ID{id}, func() (location, bool, error) {
				close(looking)
				return location{ref: ref(<-found), durable: true}, true, nil
			}, func() (blob.Ref, error) { return ref(1 << 40), nil })
			if err != nil {
				t.Error(err)
			}
			p.unpin(blob.ID{id})
			placed <- at
		}()
		<-looking
		return func(v uint64) location {
			found <- v
			return <-placed
		}
	}
	end := begin(0)
	for n := uint64(1); n <= 1000; n++ {
		p.Condemn(n)
		p.Removed(n)
		next := begin(byte(n))
		if at := end(n); at.ref.Volume == n {
			t.Fatalf("a chunk is pinned in volume %d, which was removed after it was found there", n)
		}
		end = next
		if left := p.Condemned(); left > 3 {
			t.Fatalf("%d condemnations are left of %d volumes that were removed", left, n)
		}
	}
	end(2000)
	if left := p.Condemned(); left != 0 {
		t.Errorf("%d condemnations are left when nobody looks for anything", left)
	}
}

// TestPinsRemovedBut has volumes condemned for good, of which some are removed, by whomever.
func TestPinsRemovedBut(t *testing.T) {
	ctx := t.Context()
	p := NewPins(func(blob.Ref) bool { return false })
	id := blob.ID{1}
	in := func(v uint64) location { return location{ref: blob.Ref{ID: id, Volume: v}, durable: true} }
	storedIn := func(v uint64) func() (blob.Ref, error) {
		return func() (blob.Ref, error) { return in(v).ref, nil }
	}
	for v := range uint64(100) {
		p.CondemnForGood(v)
	}
	p.Condemn(200) // by this engine itself: it is there
	at, err := p.pin(ctx, id, func() (location, bool, error) {
		p.RemovedBut([]uint64{98, 99}) // what was found before may be in any of the others
		p.RemovedBut([]uint64{99})
		return in(7), true, nil
	}, storedIn(300))
	if err != nil || at.ref.Volume != 300 {
		t.Errorf("a chunk that was found in a volume before that was removed is at %+v, %v", at, err)
	}
	p.unpin(id)
	if n := p.Condemned(); n != 2 {
		t.Errorf("%d volumes are condemned, want the one that still is for good and the one that is reserved", n)
	}
	at, err = p.pin(ctx, id, func() (location, bool, error) { return in(99), true, nil }, storedIn(301))
	if err != nil || at.ref.Volume != 301 {
		t.Errorf("a chunk that was found in a volume that is condemned for good is at %+v, %v", at, err)
	}
	p.unpin(id)
	p.RemovedBut(nil)
	p.Spare(200)
	if n := p.Condemned(); n != 0 {
		t.Errorf("%d volumes are condemned when all are gone", n)
	}
}
