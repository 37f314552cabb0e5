package ledger_test

import (
	"errors"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine/internal/ledger"
	"github.com/gabion-storage/gabion/index"
)

// TestReferenceToDamaged refers to a chunk of which its record or the new place may be bad.
func TestReferenceToDamaged(t *testing.T) {
	there := refOf(1)
	elsewhere := there
	elsewhere.Offset = 1 << 20
	anywhere := blob.Ref{ID: there.ID}
	missing := blob.Ref{ID: blob.ID{9}}
	for _, test := range []struct {
		name string
		bad  bad
		ref  blob.Ref
		at   uint32 // where the chunk is then; 0 if the reference is refused
	}{
		{"sound", nil, there, there.Offset},
		{"sound, stored twice", nil, elsewhere, there.Offset},
		{"sound, copied", nil, anywhere, there.Offset},
		{"bad since it was found", bad{there: true}, there, 0},
		{"bad, stored anew", bad{there: true}, elsewhere, elsewhere.Offset},
		{"bad, copied", bad{there: true}, anywhere, 0},
		{"both are bad", bad{there: true, elsewhere: true}, elsewhere, 0},
		{"missing, copied", nil, missing, 0},
		{"new and bad", bad{refOf(2): true}, refOf(2), 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBooks(t)
			b.update(putPage(idOf(10), 0, 1))
			page := index.Page{Chunks: []index.PageChunk{{ID: index.ChunkID(test.ref.ID), Size: 1}}}
			err := b.Update(t.Context(), func(tx index.Tx) error {
				return ledger.PutPage(
					tx, test.bad, idOf(11), 0, &page, func(int) blob.Ref { return test.ref },
				)
			})
			if refused := test.at == 0; refused != (err != nil) {
				t.Fatalf("the error is %v", err)
			} else if refused {
				b.check("refused", 0, 0, 1, 1)
				return
			}
			b.check("referred to", 0, 0, 1, 2)
			if rec := b.chunk(1); rec.Offset != test.at || rec.Refs != 2 {
				t.Errorf("the record is %+v, want it at %d", rec, test.at)
			}
		})
	}
}

// chunk returns the record of a chunk.
func (b *books) chunk(n int) (rec index.Chunk) {
	b.Helper()
	err := b.View(b.Context(), func(r index.Reader) (err error) {
		rec, err = index.Get(r, index.ChunkKey(index.ChunkID(refOf(n).ID)))
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return rec
}

// TestMoveAndMark changes what a chunk's record says of its place. Who comes too late changes
// nothing.
func TestMoveAndMark(t *testing.T) {
	b := newBooks(t)
	b.update(putPage(idOf(10), 0, 1))
	from, to := refOf(1), refOf(1)
	to.Volume, to.Offset, to.Size = 8, 500, 90
	change := func(fn func(*ledger.Delta, index.Tx) error) {
		t.Helper()
		b.update(func(tx index.Tx) error {
			var delta ledger.Delta
			return errors.Join(fn(&delta, tx), delta.Apply(tx))
		})
	}
	see := func(when string, want index.Chunk, live map[uint64]index.Volume, damaged int64) {
		t.Helper()
		if got := b.chunk(1); got != want {
			t.Errorf("%s: the record is %+v, want %+v", when, got, want)
		}
		volumes, _, err := ledger.Volumes(t.Context(), b)
		if err != nil || len(volumes) != 1 {
			t.Errorf("%s: volumes %+v, %v", when, volumes, err)
		}
		for id, v := range live {
			if volumes[id] != v {
				t.Errorf("%s: volume %d has %+v, want %+v", when, id, volumes[id], v)
			}
		}
		err = b.View(t.Context(), func(r index.Reader) error {
			totals, err := ledger.Totals(r)
			if totals.Damaged != damaged {
				t.Errorf("%s: %d chunks are damaged, want %d", when, totals.Damaged, damaged)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	inOld := map[uint64]index.Volume{7: {LiveChunks: 1, LiveBytes: stored}}
	inNew := map[uint64]index.Volume{8: {LiveChunks: 1, LiveBytes: 90}}
	old := index.Chunk{Volume: 7, Offset: 1, Stored: stored, Refs: 1}
	bad := old
	bad.Damaged = true
	mark := func(ref blob.Ref, damaged bool) func(*ledger.Delta, index.Tx) error {
		return func(d *ledger.Delta, tx index.Tx) error { return d.Mark(tx, ref, damaged) }
	}
	move := func(d *ledger.Delta, tx index.Tx) error { return d.Move(tx, from, to) }

	change(mark(to, true))
	see("marked elsewhere", old, inOld, 0)
	change(mark(from, true))
	change(mark(from, true))
	see("marked twice", bad, inOld, 1)
	change(mark(from, false))
	see("sound after all", old, inOld, 0)
	change(mark(from, true))
	change(move)
	moved := index.Chunk{Volume: 8, Offset: 500, Stored: 90, Refs: 1}
	see("moved", moved, inNew, 0)
	change(move)
	see("moved again", moved, inNew, 0)
	change(mark(from, true))
	see("marked where it was", moved, inNew, 0)
	change(func(d *ledger.Delta, tx index.Tx) error { return d.Move(tx, refOf(2), to) })
	see("nothing moved", moved, inNew, 0)
}

// TestMissingChunksAreAskedFor refers to chunks that have no record. All of them are asked for before
// the transaction fails: an index that runs it on guesses learns so what to read.
func TestMissingChunksAreAskedFor(t *testing.T) {
	b := newBooks(t)
	page := index.Page{Chunks: make([]index.PageChunk, 3)}
	for i := range page.Chunks {
		page.Chunks[i] = index.PageChunk{ID: index.ChunkID(refOf(i).ID), Size: 1}
	}
	var asked map[string]bool
	err := b.Update(t.Context(), func(tx index.Tx) error {
		asked = map[string]bool{}
		return ledger.PutPage(
			&asking{tx, asked}, sound{}, idOf(11), 0, &page,
			func(i int) blob.Ref { return blob.Ref{ID: refOf(i).ID} },
		)
	})
	if _, ok := errors.AsType[*ledger.CorruptionError](err); !ok {
		t.Errorf("PutPage: %v, want a *CorruptionError", err)
	}
	for i, c := range page.Chunks {
		if !asked[string(index.ChunkKey(c.ID))] {
			t.Errorf("chunk %d was not asked for", i)
		}
	}
}

// asking is a transaction that notes what is asked for.
type asking struct {
	index.Tx
	keys map[string]bool
}

// Get implements index.Reader.
func (a *asking) Get(key []byte) ([]byte, error) {
	a.keys[string(key)] = true
	return a.Tx.Get(key)
}
