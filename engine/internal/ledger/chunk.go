package ledger

import (
	"errors"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/index"
)

// Damage is what is known to be bad.
type Damage interface {
	// Known returns why a place is known to be bad, or nil.
	Known(ref blob.Ref) error
	// KnownIn returns why the chunk with this record is known to be bad, or nil.
	KnownIn(id index.ChunkID, rec *index.Chunk) error
}

// RefOf says where the chunk is that has this record.
func RefOf(id index.ChunkID, rec index.Chunk) blob.Ref {
	return blob.Ref{ID: blob.ID(id), Volume: rec.Volume, Offset: rec.Offset, Size: rec.Stored}
}

// MissingRecord says that a chunk has no record, though something refers to it.
func MissingRecord(id index.ChunkID) error {
	return wrongChunk(id, errors.New("its record is missing"))
}

// addReference counts one more reference to a chunk, which lies where ref says; a ref of volume 0
// means wherever its record says. A record whose place is known to be bad is pointed at ref
// instead. When there is no good place, because it has turned out to be bad since the chunk was
// found, nothing may count on it.
func (d *Delta) addReference(tx index.Tx, known Damage, ref blob.Ref) error {
	id := index.ChunkID(ref.ID)
	key := index.ChunkKey(id)
	rec, err := index.Get(tx, key)
	switch {
	case errors.Is(err, index.ErrNotFound) && ref.Volume == 0:
		// A copy by reference counts on the record that its source's reference keeps.
		d.contradicted(MissingRecord(id))
		return nil
	case errors.Is(err, index.ErrNotFound):
		rec = index.Chunk{Volume: ref.Volume, Offset: ref.Offset, Stored: ref.Size}
		if err := known.KnownIn(id, &rec); err != nil {
			return err
		}
		d.chunk(ref.Volume, +1, int64(ref.Size))
	case err != nil:
		return err
	default:
		bad := known.KnownIn(id, &rec)
		if bad != nil && (ref.Volume == 0 || ref == RefOf(id, rec) || known.Known(ref) != nil) {
			return bad
		}
		if bad != nil {
			d.place(&rec, ref)
		}
	}
	rec.Refs++
	d.totals.References++
	return index.Put(tx, key, &rec)
}

// dropReference counts one reference less. A chunk without references loses its record; its bytes
// are dead from then on. An unfinished part that has it pinned knows where it is, and records it
// again.
func (d *Delta) dropReference(tx index.Tx, id index.ChunkID) error {
	key := index.ChunkKey(id)
	rec, err := index.Get(tx, key)
	if errors.Is(err, index.ErrNotFound) || err == nil && rec.Refs == 0 {
		d.contradicted(wrongChunk(
			id, errors.New("a manifest refers to it, but its record counts no reference"),
		))
		return nil
	}
	if err != nil {
		return err
	}
	d.totals.References--
	if rec.Refs--; rec.Refs > 0 {
		return index.Put(tx, key, &rec)
	}
	d.damaged(&rec, false)
	d.chunk(rec.Volume, -1, -int64(rec.Stored))
	return index.Delete(tx, key)
}

// Move makes a chunk's record name its copy, if the chunk still lives and where it was.
func (d *Delta) Move(tx index.Tx, from, to blob.Ref) error {
	return d.change(tx, from, func(rec *index.Chunk) { d.place(rec, to) })
}

// Replace puts the record of a chunk in the place of another. Either may be nil, which is none.
func (d *Delta) Replace(tx index.Tx, id index.ChunkID, old, rec *index.Chunk) error {
	if old != nil {
		d.record(old, -1)
	}
	if rec == nil {
		return index.Delete(tx, index.ChunkKey(id))
	}
	d.record(rec, +1)
	return index.Put(tx, index.ChunkKey(id), rec)
}

// record counts the record of a chunk that comes (n is 1) or goes (n is -1).
func (d *Delta) record(rec *index.Chunk, n int64) {
	d.chunk(rec.Volume, n, n*int64(rec.Stored))
	if rec.Damaged {
		d.totals.Damaged += n
	}
}

// Mark makes a chunk's record say whether it is damaged, if the chunk still lives and where it was.
func (d *Delta) Mark(tx index.Tx, ref blob.Ref, damaged bool) error {
	return d.change(tx, ref, func(rec *index.Chunk) { d.damaged(rec, damaged) })
}

// change changes a chunk's record, if the chunk still lives and where it was.
func (d *Delta) change(tx index.Tx, ref blob.Ref, fn func(*index.Chunk)) error {
	id := index.ChunkID(ref.ID)
	key := index.ChunkKey(id)
	rec, err := index.Get(tx, key)
	if errors.Is(err, index.ErrNotFound) || err == nil && RefOf(id, rec) != ref {
		return nil
	}
	if err != nil {
		return err
	}
	before := rec
	if fn(&rec); rec == before {
		return nil
	}
	return index.Put(tx, key, &rec)
}
