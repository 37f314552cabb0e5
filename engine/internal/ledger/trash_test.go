package ledger_test

import (
	"context"
	"errors"
	"testing"

	"github.com/gabion-storage/gabion/engine/internal/ledger"
	"github.com/gabion-storage/gabion/index"
)

// TestLifeOfAContent writes a content of two parts that share chunks, replaces one, copies the
// content, and gives both owners up.
func TestLifeOfAContent(t *testing.T) {
	b := newBooks(t)
	content := index.ContentID(idOf(1))
	b.update(putPage(idOf(10), 0, 1, 2, 3), b.putPart(content, 1, idOf(10)))
	b.update(putPage(idOf(11), 0, 2, 3, 4, 4), b.putPart(content, 2, idOf(11)))
	b.check("written", 2, 0, 4, 7)
	if b.trash.Pending() {
		t.Error("nothing is discarded, but something is to be swept")
	}
	b.update(putPage(idOf(12), 0, 4), b.putPart(content, 1, idOf(12)))
	b.check("replaced", 2, 1, 4, 8)
	if !b.trash.Pending() {
		t.Error("a part is replaced, but nothing is to be swept")
	}
	if swept := b.sweep(); swept.Chunks != 1 || swept.Bytes != stored || swept.Damaged != nil {
		t.Errorf("swept %+v, want the chunk that no other part has", swept)
	}
	b.check("the replaced one swept", 2, 0, 3, 5)
	if b.trash.Pending() {
		t.Error("all is swept, and something is to be swept")
	}
	b.update(func(tx index.Tx) error { return ledger.AddOwner(tx, content) })
	b.update(b.dropOwner(content, 2))
	b.sweep()
	b.check("one of two owners gone", 2, 0, 3, 5)
	b.update(b.dropOwner(content, 2))
	b.check("both owners gone", 2, 2, 3, 5)
	b.sweep()
	b.check("the content swept", 0, 0, 0, 0)
	if ids, err := ledger.LiveVolumes(t.Context(), b); len(ids) != 0 || err != nil {
		t.Errorf("volumes %v have live chunks, %v", ids, err)
	}
}

// TestWhatIsInUseWaits discards what is in use. It must not be swept, nor keep what is behind it in
// the queue.
func TestWhatIsInUseWaits(t *testing.T) {
	b := newBooks(t)
	for n := range 2 {
		b.update(putPage(idOf(10+n), 0, n), b.putPart(idOf(n), 1, idOf(10+n)))
	}
	b.trash.Use(idOf(0))
	b.trash.Use(idOf(0))
	b.update(b.dropOwner(idOf(0), 1), b.dropOwner(idOf(1), 1))
	b.sweep()
	b.check("one is in use", 1, 1, 1, 1)
	b.trash.Leave(idOf(0))
	b.sweep()
	b.check("it has one more user", 1, 1, 1, 1)
	if b.woken != 0 {
		t.Error("woken while it is in use")
	}
	b.trash.Leave(idOf(0))
	if b.woken != 1 || b.trash.InUse() != 0 {
		t.Errorf("woken %d times after the last has left, %d are in use", b.woken, b.trash.InUse())
	}
	b.sweep()
	b.check("nobody uses it", 0, 0, 0, 0)
}

// TestProvisional writes manifests in several transactions. They last if and only if they are
// named.
func TestProvisional(t *testing.T) {
	write := func(b *books, id [16]byte) *ledger.Provisional {
		p := b.trash.NewProvisional(id, index.TrashManifest)
		b.update(putPage(id, 0, run(0, 3)...), p.Begin)
		b.update(putPage(id, 1, 3), p.Begin)
		return p
	}
	for _, test := range []struct {
		name      string
		do        func(b *books, p *ledger.Provisional)
		parts     int64
		remaining int64 // chunks
	}{
		{"given up", func(b *books, p *ledger.Provisional) { p.End() }, 0, 0},
		{"still written", func(b *books, p *ledger.Provisional) {}, 0, 4},
		{"named", func(b *books, p *ledger.Provisional) {
			b.update(func(tx index.Tx) error {
				return errors.Join(p.Name(tx), b.putPart(idOf(1), 1, idOf(10))(tx))
			})
			p.Named()
			if p.End(); b.woken != 0 {
				b.Error("woken for what is named")
			}
		}, 1, 4},
		{"not committed", func(b *books, p *ledger.Provisional) {
			failure := errors.New("refused")
			err := b.Update(b.Context(), func(tx index.Tx) error {
				return errors.Join(p.Name(tx), failure)
			})
			if !errors.Is(err, failure) {
				b.Error(err)
			}
			p.End()
		}, 0, 0},
		{"crash", func(b *books, p *ledger.Provisional) { b.restart() }, 0, 0},
		{"crash, then written again", func(b *books, p *ledger.Provisional) {
			b.restart()
			b.trash.Use(idOf(10))
		}, 0, 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBooks(t)
			if err := b.trash.Recover(t.Context()); err != nil { // nothing yet
				t.Fatal(err)
			}
			p := write(b, idOf(10))
			b.check("written", 0, 0, 4, 4)
			b.sweep()
			b.check("in use", 0, 0, 4, 4)
			test.do(b, p)
			if err := b.trash.Recover(t.Context()); err != nil {
				t.Fatal(err)
			}
			b.sweep()
			b.check(test.name, test.parts, 0, test.remaining, test.remaining)
		})
	}
}

// TestDamagedIsPutAside sweeps a manifest that refers to a chunk without a record, among others.
func TestDamagedIsPutAside(t *testing.T) {
	b := newBooks(t)
	for n := range 5 {
		b.update(putPage(idOf(10+n), 0, n), b.putPart(idOf(n), 1, idOf(10+n)))
	}
	key := index.ChunkKey(index.ChunkID(refOf(2).ID))
	var rec index.Chunk
	b.update(func(tx index.Tx) (err error) {
		rec, err = index.Get(tx, key)
		return errors.Join(err, index.Delete(tx, key))
	})
	for n := range 5 {
		b.update(b.dropOwner(idOf(n), 1))
	}
	for range 2 {
		swept := b.sweep()
		var corrupt *ledger.CorruptionError
		if len(swept.Damaged) != 1 || !errors.As(swept.Damaged[0], &corrupt) {
			t.Fatalf("swept %+v, want one damaged", swept)
		}
		b.check("the others are swept", 1, 1, 1, 1)
		if swept := b.sweep(); swept.Damaged != nil {
			t.Errorf("it was tried again: %+v", swept)
		}
		b.trash.Retry()
	}
	b.update(func(tx index.Tx) error { return index.Put(tx, key, &rec) })
	b.trash.Retry()
	if swept := b.sweep(); swept.Damaged != nil || swept.Chunks != 1 {
		t.Errorf("repaired, and swept %+v", swept)
	}
	b.check("repaired", 0, 0, 0, 0)
}

// A countingStore knows how many records the greatest transaction has changed, and how many
// transactions there were.
type countingStore struct {
	index.Store
	greatest, updates int
}

type countingTx struct {
	index.Tx
	changed int
}

func (c *countingStore) Update(ctx context.Context, fn func(index.Tx) error) error {
	c.updates++
	return c.Store.Update(ctx, func(tx index.Tx) error {
		counting := &countingTx{Tx: tx}
		defer func() { c.greatest = max(c.greatest, counting.changed) }()
		return fn(counting)
	})
}

func (c *countingTx) Put(key, value []byte) error { c.changed++; return c.Tx.Put(key, value) }
func (c *countingTx) Delete(key []byte) error     { c.changed++; return c.Tx.Delete(key) }

// TestSweepIsBounded sweeps a content of two parts of eight full pages each, in transactions of about
// four pages each, and stops after the bytes that are wanted.
func TestSweepIsBounded(t *testing.T) {
	b := newBooks(t)
	const parts, pages = 2, 8
	for n := range parts * pages {
		first := n * index.MaxPageChunks
		b.update(putPage(idOf(10+n/pages), n%pages, run(first, first+index.MaxPageChunks)...))
	}
	for n := range parts {
		b.update(b.putPart(idOf(1), 1+n, idOf(10+n)))
	}
	const chunks = parts * pages * index.MaxPageChunks
	b.check("written", parts, 0, chunks, chunks)
	b.update(b.dropOwner(idOf(1), parts))
	counting := &countingStore{Store: b.Store}
	b.Store = counting
	b.restart()
	steps := 0
	swept, err := b.trash.Sweep(t.Context(), 1, func(context.Context) { steps++ })
	if err != nil || !swept.More || swept.Chunks == 0 {
		t.Errorf("one byte: swept %+v, %v", swept, err)
	}
	if most := int64(5 * index.MaxPageChunks); swept.Chunks > most || steps != 1 {
		t.Errorf("one byte: swept %d chunks in %d steps, want at most %d in one", swept.Chunks, steps, most)
	}
	swept2, err := b.trash.Sweep(t.Context(), 2*index.MaxPageChunks*stored, func(context.Context) { steps++ })
	if err != nil || !swept2.More || swept2.Chunks == 0 || steps != 2 {
		t.Errorf("two pages: swept %+v, %v, %d steps in all", swept2, err, steps)
	}
	swept.Chunks += swept2.Chunks
	rest, err := b.trash.Sweep(t.Context(), 1<<62, func(context.Context) { steps++ })
	if err != nil || rest.More || steps < 4 {
		t.Errorf("the rest: swept %+v, %v, %d steps in all", rest, err, steps)
	}
	if swept.Chunks+rest.Chunks != chunks {
		t.Errorf("swept %d and %d chunks, %d in all, with %d steps", swept.Chunks, rest.Chunks, chunks, steps)
	}
	b.check("swept", 0, 0, 0, 0)
	// Four pages, one that did not fit whole, and the parts, the trash and the accounts.
	if most := 5*index.MaxPageChunks + 20; counting.greatest > most || counting.updates < 2 {
		t.Errorf("%d transactions, the greatest of %d records", counting.updates, counting.greatest)
	}
}

// TestSweepOfWhatWaitedIsBounded is TestSweepIsBounded of a content that was in use when it was swept
// first.
func TestSweepOfWhatWaitedIsBounded(t *testing.T) {
	b := newBooks(t)
	const pages = 12
	for n := range pages {
		b.update(putPage(idOf(10), n, run(n*index.MaxPageChunks, (n+1)*index.MaxPageChunks)...))
	}
	b.update(b.putPart(idOf(1), 1, idOf(10)))
	b.trash.Use(idOf(1))
	b.update(b.dropOwner(idOf(1), 1))
	b.sweep()
	b.trash.Leave(idOf(1))
	steps, chunks := 0, int64(0)
	for more := true; more; {
		swept, err := b.trash.Sweep(t.Context(), 1, func(context.Context) { steps++ })
		if err != nil || swept.Chunks > 5*index.MaxPageChunks {
			t.Fatalf("one byte: swept %+v, %v", swept, err)
		}
		more = swept.More
		chunks += swept.Chunks
	}
	if chunks != pages*index.MaxPageChunks || steps < 3 {
		t.Errorf("swept %d chunks in %d steps", chunks, steps)
	}
	b.check("swept", 0, 0, 0, 0)
}

// TestFailedDiscardIsForgotten discards in a transaction that fails: whoever asks whether there is
// something to sweep must not be told so for good.
func TestFailedDiscardIsForgotten(t *testing.T) {
	b := newBooks(t)
	failure := errors.New("refused")
	err := b.Update(t.Context(), func(tx index.Tx) error {
		return errors.Join(b.dropOwner(idOf(1), 1)(tx), failure)
	})
	if !errors.Is(err, failure) || !b.trash.Pending() {
		t.Fatalf("%v, pending %t", err, b.trash.Pending())
	}
	b.sweep()
	if b.trash.Pending() {
		t.Error("nothing is there, but something is to be swept")
	}
}

// TestRefusedSweepWakesNobody sweeps what has waited while the index takes no updates. Whoever was
// woken for that would fail again at once, and so on; a Sweep that was stopped is another matter.
func TestRefusedSweepWakesNobody(t *testing.T) {
	b := newBooks(t)
	b.update(putPage(idOf(10), 0, 1), b.putPart(idOf(1), 1, idOf(10)))
	b.trash.Use(idOf(1))
	b.update(b.dropOwner(idOf(1), 1))
	b.sweep() // now it waits
	b.trash.Leave(idOf(1))
	if b.woken != 1 {
		t.Fatalf("woken %d times when nobody uses it any more", b.woken)
	}
	takes := b.Store
	b.Store = refusing{takes, index.ErrNoSpace}
	for range 3 {
		if _, err := b.trash.Sweep(t.Context(), 1<<62, func(context.Context) {}); !errors.Is(err, index.ErrNoSpace) {
			t.Fatalf("Sweep: %v, want what the index says", err)
		}
	}
	if b.woken != 1 {
		t.Errorf("woken %d times by sweeps that failed", b.woken-1)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := b.trash.Sweep(stopped, 1<<62, func(context.Context) {}); err == nil || b.woken != 2 {
		t.Errorf("stopped: %v, woken %d times", err, b.woken-1)
	}
	b.Store = takes
	b.sweep()
	b.check("swept", 0, 0, 0, 0)
}
