package ledger

import (
	"errors"

	"github.com/gabion-storage/gabion/index"
)

// A copy of an object shares its content. The content's record of owners is there only while it has
// more than one, so what was never copied costs nothing.

// AddOwner counts one more owner of a content that has one.
func AddOwner(tx index.Tx, id index.ContentID) error {
	n, err := owners(tx, id)
	if err != nil {
		return err
	}
	return index.Put(tx, index.SharedKey(id), &index.Shared{Owners: n + 1})
}

// dropOwner counts one owner less, and says whether it was the last.
func dropOwner(tx index.Tx, id index.ContentID) (last bool, err error) {
	n, err := owners(tx, id)
	if err != nil || n == 1 {
		return n == 1, err
	}
	if n == 2 {
		return false, index.Delete(tx, index.SharedKey(id))
	}
	return false, index.Put(tx, index.SharedKey(id), &index.Shared{Owners: n - 1})
}

func owners(r index.Reader, id index.ContentID) (uint64, error) {
	rec, err := index.Get(r, index.SharedKey(id))
	if errors.Is(err, index.ErrNotFound) {
		return 1, nil
	}
	return rec.Owners, err
}
