package ledger

import (
	"errors"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/index"
)

// PutPage stores the n-th page of a manifest. Each entry of it becomes a reference to its chunk,
// which lies where places says of the i-th; see Delta.addReference.
func PutPage(
	tx index.Tx, known Damage, id index.ManifestID, n int, page *index.Page,
	places func(i int) blob.Ref,
) error {
	var delta Delta
	for i := range page.Chunks {
		if err := delta.addReference(tx, known, places(i)); err != nil {
			return err
		}
	}
	if err := index.Put(tx, index.PageKey(id, n), page); err != nil {
		return err
	}
	return delta.Apply(tx)
}

// PutInline stores, instead of pages, the content of a part itself. The caller must Count what it
// returns.
func PutInline(tx index.Tx, id index.ManifestID, rec *index.Inline) (index.Totals, error) {
	return index.Totals{InlineBytes: int64(len(rec.Frame))}, index.Put(tx, index.InlineKey(id), rec)
}

// dropPage deletes a page and the references that it holds.
func (d *Delta) dropPage(tx index.Tx, key index.Key[index.Page], page *index.Page) error {
	for _, c := range page.Chunks {
		if err := d.dropReference(tx, c.ID); err != nil {
			return err
		}
	}
	return index.Delete(tx, key)
}

// dropInline deletes what PutInline has stored, and says whether there was any.
func (d *Delta) dropInline(tx index.Tx, id index.ManifestID) (bool, error) {
	rec, err := index.Get(tx, index.InlineKey(id))
	if errors.Is(err, index.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	d.totals.InlineBytes -= int64(len(rec.Frame))
	return true, index.Delete(tx, index.InlineKey(id))
}
