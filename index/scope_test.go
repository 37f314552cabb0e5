package index_test

import (
	"testing"

	"github.com/gabion-storage/gabion/index"
)

// TestScopeBytes pins what the scope of a part costs: Complete moves thousands of parts in one
// transaction.
func TestScopeBytes(t *testing.T) {
	store := index.NewMemory()
	defer store.Close()
	size := func(scope index.Scope) (n int) {
		err := store.Update(t.Context(), func(tx index.Tx) error {
			key := index.PartKey(id("content"), 1)
			if err := index.Put(tx, key, &index.Part{Scope: scope}); err != nil {
				return err
			}
			raw, err := tx.Get(key)
			n = len(raw)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	whole := size(index.Scope{})
	for _, kind := range []index.ScopeKind{index.ScopeBucket, index.ScopePart} {
		if got := size(index.Scope{Kind: kind, ID: [16]byte{1}}); got != whole+16 {
			t.Errorf("a part of scope kind %d takes %d bytes, wanted are 16 more than %d", kind, got, whole)
		}
	}
	const fields = 16 + 1 + 8 + 8 + 16 + 1 + 1 + 1 + 1 // of a part without a checksum and a MAC, and no scope
	if want := 1 + fields + 1 + 4; whole != want {
		t.Errorf("a part of the store's scope takes %d bytes, want %d: one for the scope", whole, want)
	}
}
