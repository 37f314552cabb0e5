package ledger

import (
	"context"
	"errors"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/index"
)

// A Delta collects what one transaction changes in the accounts: in the totals, and in what lives
// in each volume. The zero value is no change. Whoever has changed records with one must Apply it
// in the same transaction.
//
// A chunk that has no record, or one that counts no reference, is told of by Apply only: until then
// the transaction goes on. An index may run it on guesses, in which records are missing, to learn
// what it reads: what ends at the first that is missing costs a run, and a round trip, for each.
type Delta struct {
	totals  index.Totals
	volumes map[uint64]index.Volume
	wrong   error // of the first such chunk
}

// contradicted notes what a chunk's record contradicts.
func (d *Delta) contradicted(err error) {
	if d.wrong == nil {
		d.wrong = err
	}
}

// chunk counts a chunk that has become live (n is 1) or dead (n is -1).
func (d *Delta) chunk(volume uint64, n, bytes int64) {
	if d.volumes == nil {
		d.volumes = make(map[uint64]index.Volume)
	}
	v := d.volumes[volume]
	v.LiveChunks += n
	v.LiveBytes += bytes
	d.volumes[volume] = v
	d.totals.Chunks += n
	d.totals.StoredBytes += bytes
}

// place makes a chunk's record name another place, of which nothing bad is known.
func (d *Delta) place(rec *index.Chunk, to blob.Ref) {
	d.damaged(rec, false)
	d.chunk(rec.Volume, -1, -int64(rec.Stored))
	rec.Volume, rec.Offset, rec.Stored = to.Volume, to.Offset, to.Size
	d.chunk(to.Volume, +1, int64(to.Size))
}

// damaged makes a chunk's record say whether it is damaged, and counts that.
func (d *Delta) damaged(rec *index.Chunk, damaged bool) {
	switch {
	case damaged && !rec.Damaged:
		d.totals.Damaged++
	case !damaged && rec.Damaged:
		d.totals.Damaged--
	}
	rec.Damaged = damaged
}

// Apply adds the changes to the accounts, or fails with a *CorruptionError if there can be none.
func (d *Delta) Apply(tx index.Tx) error {
	if d.wrong != nil {
		return d.wrong
	}
	for id, change := range d.volumes {
		if err := applyTo(tx, id, change); err != nil {
			return err
		}
	}
	return Count(tx, d.totals)
}

func applyTo(tx index.Tx, volume uint64, change index.Volume) error {
	key := index.VolumeKey(volume)
	v, err := index.Get(tx, key)
	there := err == nil
	if err != nil && !errors.Is(err, index.ErrNotFound) {
		return err
	}
	v.LiveBytes += change.LiveBytes
	v.LiveChunks += change.LiveChunks
	switch {
	case v != (index.Volume{}):
		return index.Put(tx, key, &v)
	case there:
		return index.Delete(tx, key)
	default:
		return nil
	}
}

// Count adds to the totals.
func Count(tx index.Tx, change index.Totals) error {
	if change == (index.Totals{}) {
		return nil
	}
	t, err := Totals(tx)
	if err != nil {
		return err
	}
	t.Add(change)
	return index.Put(tx, index.TotalsKey(), &t)
}

// LookTotals is Totals, of what is there now.
func LookTotals(ctx context.Context, idx index.Store) (t index.Totals, err error) {
	r, err := index.Fetch(ctx, idx, index.TotalsKey())
	if err != nil {
		return t, err
	}
	return Totals(r)
}

// Totals returns the totals; a new store has none.
func Totals(r index.Reader) (index.Totals, error) {
	t, err := index.Get(r, index.TotalsKey())
	if errors.Is(err, index.ErrNotFound) {
		return index.Totals{}, nil
	}
	return t, err
}
