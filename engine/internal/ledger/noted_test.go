package ledger_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/engine/internal/ledger"
	"github.com/gabion-storage/gabion/index"
)

// newSharedBooks are the books of one of several processes.
func newSharedBooks(t *testing.T) *books {
	b := newBooks(t)
	b.trash = ledger.NewSharedTrash(b, func() time.Time { return time.Unix(1, 0) })
	return b
}

func (b *books) note() ledger.Noted {
	b.Helper()
	n, err := b.trash.Note(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return n
}

func (b *books) sweepNoted(n ledger.Noted) ledger.Swept {
	b.Helper()
	swept, err := b.trash.SweepNoted(b.Context(), b, n)
	if err != nil || swept.More {
		b.Fatalf("swept %+v, %v", swept, err)
	}
	return swept
}

// TestSweepNoted discards contents before and after a note. What was noted is swept, in use or not,
// and nothing else.
func TestSweepNoted(t *testing.T) {
	b := newSharedBooks(t)
	for n := range 3 {
		b.update(putPage(idOf(10+n), 0, n), b.putPart(idOf(n), 1, idOf(10+n)))
	}
	if n := b.note(); n.Some() {
		t.Errorf("noted %+v, nothing is discarded", n)
	}
	b.trash.Use(idOf(0))
	b.update(b.dropOwner(idOf(0), 1), b.dropOwner(idOf(1), 1))
	noted := b.note()
	if !noted.Some() {
		t.Error("nothing is noted, two contents are discarded")
	}
	b.update(b.dropOwner(idOf(2), 1))
	for range 2 { // a second time does nothing
		b.sweepNoted(noted)
		b.check("the noted ones are swept", 1, 1, 1, 1)
	}
	b.trash.Leave(idOf(0))
	b.sweepNoted(b.note())
	b.check("all are swept", 0, 0, 0, 0)
	if b.woken != 0 {
		t.Errorf("woken %d times, for what others may use", b.woken)
	}
}

// TestSweepNotedProvisional notes what is provisional. It is swept unless it was named since, and
// what became provisional later is left.
func TestSweepNotedProvisional(t *testing.T) {
	b := newSharedBooks(t)
	begin := func(n int) *ledger.Provisional {
		p := b.trash.NewProvisional(idOf(10+n), index.TrashManifest)
		b.update(putPage(idOf(10+n), 0, n), p.Begin)
		p.Begun()
		return p
	}
	named, givenUp := begin(0), begin(1)
	noted := b.note()
	late := begin(2)
	b.update(func(tx index.Tx) error {
		return errors.Join(named.Name(tx), b.putPart(idOf(1), 1, idOf(10))(tx))
	})
	named.Named()
	named.End()
	givenUp.End()
	b.sweepNoted(noted)
	b.check("what was given up is swept", 1, 0, 2, 2)
	late.End()
	b.sweepNoted(b.note())
	b.check("and what was given up later", 1, 0, 1, 1)
}

// TestSweepNotedRefused sweeps by a store that refuses, since it is somebody else's turn. The same
// note serves for another try.
func TestSweepNotedRefused(t *testing.T) {
	b := newSharedBooks(t)
	for n := range 2 {
		b.update(putPage(idOf(10+n), 0, n), b.putPart(idOf(n), 1, idOf(10+n)))
	}
	p := b.trash.NewProvisional(idOf(12), index.TrashManifest)
	b.update(putPage(idOf(12), 0, 2), p.Begin)
	p.End()
	b.update(b.dropOwner(idOf(0), 1), b.dropOwner(idOf(1), 1))
	noted := b.note()
	theirs := errors.New("somebody else's turn")
	_, err := b.trash.SweepNoted(b.Context(), refusing{b, theirs}, noted)
	if !errors.Is(err, theirs) {
		t.Errorf("SweepNoted: %v", err)
	}
	b.check("refused", 2, 2, 3, 3)
	b.sweepNoted(noted)
	b.check("swept", 0, 0, 0, 0)
}

// refusing is a store whose updates fail.
type refusing struct {
	index.Store
	err error
}

func (r refusing) Update(context.Context, func(index.Tx) error) error { return r.err }

// TestNoteLeavesAside has an entry damaged. It is put aside, and noted again after a Retry only.
func TestNoteLeavesAside(t *testing.T) {
	b := newSharedBooks(t)
	b.update(putPage(idOf(10), 0, 0), b.putPart(idOf(0), 1, idOf(10)), b.dropOwner(idOf(0), 1))
	key := index.ChunkKey(index.ChunkID(refOf(0).ID))
	b.update(func(tx index.Tx) error { return index.Delete(tx, key) })
	if swept := b.sweepNoted(b.note()); len(swept.Damaged) != 1 {
		t.Errorf("swept %+v, want it damaged", swept)
	}
	if n := b.note(); n.Some() {
		t.Errorf("noted %+v, all there is was put aside", n)
	}
	b.trash.Retry()
	if swept := b.sweepNoted(b.note()); len(swept.Damaged) != 1 {
		t.Errorf("swept %+v after a Retry, want it damaged again", swept)
	}
}
