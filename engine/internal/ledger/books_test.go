package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine/internal/ledger"
	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/indextest"
)

// volume is where the chunks of the tests lie, and stored is how many bytes each has there.
const (
	volume = 7
	stored = 100
)

// books are a ledger in memory. Every transaction runs twice, the first time in vain.
type books struct {
	*testing.T
	index.Store
	trash *ledger.Trash
	woken int
}

func newBooks(t *testing.T) *books {
	idx := indextest.Rehearsed(index.NewMemory())
	t.Cleanup(func() {
		if err := idx.Close(); err != nil {
			t.Error(err)
		}
	})
	b := &books{T: t, Store: idx}
	b.restart()
	return b
}

// restart forgets what is in use.
func (b *books) restart() {
	b.trash = ledger.NewTrash(b, func() time.Time { return time.Unix(1, 0) }, func() { b.woken++ })
}

func (b *books) update(fns ...func(index.Tx) error) {
	b.Helper()
	for _, fn := range fns {
		if err := b.Update(b.Context(), fn); err != nil {
			b.Fatal(err)
		}
	}
}

// sweep sweeps as much as there is, and says what was damaged.
func (b *books) sweep() (swept ledger.Swept) {
	b.Helper()
	swept, err := b.trash.Sweep(b.Context(), 1<<62, func(context.Context) {})
	if err != nil || swept.More {
		b.Fatalf("swept %+v, %v", swept, err)
	}
	return swept
}

// check compares the accounts with so many parts, of which so many are in the trash, and chunks
// with so many references.
func (b *books) check(when string, parts, trash, chunks, references int64) {
	b.Helper()
	err := b.View(b.Context(), func(r index.Reader) error {
		t, err := ledger.Totals(r)
		want := index.Totals{
			Parts: parts, TrashParts: trash, TrashBytes: trash * partBytes, Chunks: chunks,
			References: references, StoredBytes: chunks * stored,
		}
		if t != want {
			b.Errorf("%s: the totals are %+v, want %+v", when, t, want)
		}
		return err
	})
	live, liveErr := ledger.LiveIn(b.Context(), b, volume)
	if want := (index.Volume{LiveChunks: chunks, LiveBytes: chunks * stored}); live != want {
		b.Errorf("%s: the volume has %+v, want %+v", when, live, want)
	}
	if err := errors.Join(err, liveErr); err != nil {
		b.Error(err)
	}
}

// partBytes is the size that the records of parts say.
const partBytes = 1000

func refOf(n int) blob.Ref {
	return blob.Ref{ID: blob.ID{byte(n), byte(n >> 8), 1}, Volume: volume, Offset: uint32(n), Size: stored}
}

func idOf(n int) [16]byte { return [16]byte{15: byte(n)} }

// putPage stores a page with chunks of these numbers.
func putPage(id index.ManifestID, n int, chunks ...int) func(index.Tx) error {
	return func(tx index.Tx) error {
		page := index.Page{Chunks: make([]index.PageChunk, len(chunks))}
		for i, c := range chunks {
			page.Chunks[i] = index.PageChunk{ID: index.ChunkID(refOf(c).ID), Size: 1}
		}
		return ledger.PutPage(
			tx, sound{}, id, n, &page, func(i int) blob.Ref { return refOf(chunks[i]) },
		)
	}
}

func (b *books) putPart(of index.ContentID, number int, m index.ManifestID) func(index.Tx) error {
	return func(tx index.Tx) error {
		_, err := b.trash.PutPart(tx, of, number, &index.Part{Manifest: m, Size: partBytes}, index.Totals{})
		return err
	}
}

func (b *books) dropOwner(id index.ContentID, parts int) func(index.Tx) error {
	return func(tx index.Tx) error {
		return b.trash.DropOwner(tx, id, parts, int64(parts)*partBytes)
	}
}

// run is the numbers from one up to another.
func run(from, to int) (numbers []int) {
	for n := from; n < to; n++ {
		numbers = append(numbers, n)
	}
	return numbers
}

// sound is a Damage of a store in which nothing is bad.
type sound struct{}

func (sound) Known(blob.Ref) error                      { return nil }
func (sound) KnownIn(index.ChunkID, *index.Chunk) error { return nil }

// bad is a Damage that knows bad places.
type bad map[blob.Ref]bool

func (b bad) Known(ref blob.Ref) error {
	if b[ref] {
		return fmt.Errorf("%d is bad", ref.Offset)
	}
	return nil
}

func (b bad) KnownIn(id index.ChunkID, rec *index.Chunk) error {
	return b.Known(ledger.RefOf(id, *rec))
}
