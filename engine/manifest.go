package engine

import (
	"errors"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/index"
)

// A manifest is the ordered list of the chunks of one part, stored in pages. Every entry of a page
// is one reference to its chunk: the chunk's record counts them, and a chunk that nobody refers to
// any more is dead. A small part may have its whole content in the index instead, under the id of
// the manifest, and no pages.

// putInline stores a content in the index.
func putInline(tx index.Tx, id index.ManifestID, rec index.Inline, s seals) error {
	rec.MAC = s.of(func(buf []byte) []byte { return inlineMessage(buf, id, &rec) })
	if err := index.Put(tx, index.InlineKey(id), &rec); err != nil {
		return err
	}
	return count(tx, index.Totals{InlineBytes: int64(len(rec.Frame))})
}

// dropInline deletes what putInline has stored, and says whether there was any.
func dropInline(tx index.Tx, id index.ManifestID, delta *accounts) (bool, error) {
	rec, err := index.Get(tx, index.InlineKey(id))
	if errors.Is(err, index.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	delta.totals.InlineBytes -= int64(len(rec.Frame))
	return true, index.Delete(tx, index.InlineKey(id))
}

// refOf says where the chunk is that has this record.
func refOf(id index.ChunkID, rec index.Chunk) blob.Ref {
	return blob.Ref{ID: blob.ID(id), Volume: rec.Volume, Offset: rec.Offset, Size: rec.Stored}
}

// addReference counts one more reference to a chunk, which lies where ref says; a ref of volume 0
// means wherever its record says. A record whose place is known to be bad is pointed at ref
// instead. When there is no good place, because it has turned out to be bad since the chunk was
// found, nothing may count on it.
func addReference(tx index.Tx, d *damage, ref blob.Ref, delta *accounts) error {
	id := index.ChunkID(ref.ID)
	key := index.ChunkKey(id)
	rec, err := index.Get(tx, key)
	switch {
	case errors.Is(err, index.ErrNotFound) && ref.Volume == 0:
		// A copy by reference counts on the record that its source's reference keeps.
		return &CorruptionError{
			What: "chunk " + ref.ID.String(), Where: "index",
			Err: errors.New("its record is missing"),
		}
	case errors.Is(err, index.ErrNotFound):
		rec = index.Chunk{Volume: ref.Volume, Offset: ref.Offset, Stored: ref.Size}
		if err := d.knownIn(id, &rec); err != nil {
			return err
		}
		delta.chunk(ref.Volume, +1, int64(ref.Size))
	case err != nil:
		return err
	default:
		bad := d.knownIn(id, &rec)
		if bad != nil && (ref.Volume == 0 || ref == refOf(id, rec) || d.known(ref) != nil) {
			return bad
		}
		if bad != nil {
			delta.place(&rec, ref)
		}
	}
	rec.Refs++
	delta.totals.References++
	return index.Put(tx, key, &rec)
}

// dropPage deletes one page and the references it holds. A chunk without references loses its
// record; its bytes are dead from then on. An unfinished part that has it pinned knows where it
// is, and records it again.
func dropPage(tx index.Tx, key index.Key[index.Page], page *index.Page, delta *accounts) error {
	for _, c := range page.Chunks {
		if err := dropReference(tx, c.ID, delta); err != nil {
			return err
		}
	}
	return index.Delete(tx, key)
}

func dropReference(tx index.Tx, id index.ChunkID, delta *accounts) error {
	key := index.ChunkKey(id)
	rec, err := index.Get(tx, key)
	if errors.Is(err, index.ErrNotFound) || err == nil && rec.Refs == 0 {
		return &CorruptionError{
			What: "chunk " + id.String(), Where: "index",
			Err: errors.New("a manifest refers to it, but its record counts no reference"),
		}
	}
	if err != nil {
		return err
	}
	delta.totals.References--
	if rec.Refs--; rec.Refs > 0 {
		return index.Put(tx, key, &rec)
	}
	delta.damaged(&rec, false)
	delta.chunk(rec.Volume, -1, -int64(rec.Stored))
	return index.Delete(tx, key)
}

// accounts collects what one transaction changes in the totals and in the volumes' live bytes.
type accounts struct {
	totals  index.Totals
	volumes map[uint64]index.Volume
}

// chunk counts a chunk that has become live (n is 1) or dead (n is -1).
func (a *accounts) chunk(volume uint64, n, bytes int64) {
	if a.volumes == nil {
		a.volumes = make(map[uint64]index.Volume)
	}
	v := a.volumes[volume]
	v.LiveChunks += n
	v.LiveBytes += bytes
	a.volumes[volume] = v
	a.totals.Chunks += n
	a.totals.StoredBytes += bytes
}

// place makes a chunk's record name another place, of which nothing bad is known.
func (a *accounts) place(rec *index.Chunk, to blob.Ref) {
	a.damaged(rec, false)
	a.chunk(rec.Volume, -1, -int64(rec.Stored))
	rec.Volume, rec.Offset, rec.Stored = to.Volume, to.Offset, to.Size
	a.chunk(to.Volume, +1, int64(to.Size))
}

// damaged makes a chunk's record say whether it is damaged, and counts that.
func (a *accounts) damaged(rec *index.Chunk, damaged bool) {
	switch {
	case damaged && !rec.Damaged:
		a.totals.Damaged++
	case !damaged && rec.Damaged:
		a.totals.Damaged--
	}
	rec.Damaged = damaged
}

// apply adds the changes to the stored accounts.
func (a *accounts) apply(tx index.Tx) error {
	for id, delta := range a.volumes {
		key := index.VolumeKey(id)
		v, err := index.Get(tx, key)
		there := err == nil
		if err != nil && !errors.Is(err, index.ErrNotFound) {
			return err
		}
		v.LiveBytes += delta.LiveBytes
		v.LiveChunks += delta.LiveChunks
		switch {
		case v != (index.Volume{}):
			err = index.Put(tx, key, &v)
		case there:
			err = index.Delete(tx, key)
		default:
			err = nil
		}
		if err != nil {
			return err
		}
	}
	t, err := totalsOf(tx)
	if err != nil {
		return err
	}
	t.Add(a.totals)
	return index.Put(tx, index.TotalsKey(), &t)
}

// count applies a change of the totals alone.
func count(tx index.Tx, delta index.Totals) error {
	a := accounts{totals: delta}
	return a.apply(tx)
}

// totalsOf returns the totals; a new store has none.
func totalsOf(r index.Reader) (index.Totals, error) {
	t, err := index.Get(r, index.TotalsKey())
	if errors.Is(err, index.ErrNotFound) {
		return index.Totals{}, nil
	}
	return t, err
}
