package index_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/gabion-storage/gabion/index"
)

// TestCarried says of every kind of record whether a copy of a store has it byte by byte. A kind
// that is new has to be decided on, too.
func TestCarried(t *testing.T) {
	within := []string{"Attributes", "Encryption", "Checksum"} // other records
	stay := []string{"Header", "Clone", "Chunk", "Volume", "Totals", "Node", "Fleet", "Condemned"}
	for name, s := range samples {
		if slices.Contains(within, name) {
			continue
		}
		if got := carried(s.key); got == slices.Contains(stay, name) {
			t.Errorf("%s is carried: %t", name, got)
		}
	}
	if !carried(index.TrashQueue().Key(1)) {
		t.Error("what is in the trash is not carried")
	}
}

func carried(key []byte) bool {
	return slices.ContainsFunc(index.Carried(), func(table index.Range[index.Opaque]) bool {
		return bytes.Compare(table.Start, key) <= 0 && bytes.Compare(key, table.End) < 0
	})
}
