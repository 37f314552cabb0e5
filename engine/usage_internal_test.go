package engine

import (
	"math"
	"testing"

	"github.com/gabion-storage/gabion/index"
)

// TestGarbageInTrash has trash that refers to chunks which others refer to, too, or not.
func TestGarbageInTrash(t *testing.T) {
	const chunk, chunks = 1 << 20, 5 << 10
	const stored = chunk * chunks
	for _, test := range []struct {
		name        string
		totals      index.Totals
		least, most int64
	}{
		{"nothing", index.Totals{}, 0, 0},
		{"a half, all unique", index.Totals{
			Chunks: chunks, References: chunks, LogicalBytes: stored / 2, StoredBytes: stored, TrashBytes: stored / 2,
		}, stored / 2, stored / 2},
		{"the half, of which the rest has many copies", index.Totals{
			Chunks: chunks, References: chunks, LogicalBytes: 1000 * stored, StoredBytes: stored, TrashBytes: stored / 2,
		}, stored / 2, stored / 2},
		{"all, beside an upload of much that is not complete", index.Totals{
			Chunks: 2 * chunks, References: 2 * chunks, StoredBytes: 2 * stored, TrashBytes: stored,
		}, stored, stored},
		{"small bodies", index.Totals{LogicalBytes: 1000, InlineBytes: 3000, TrashBytes: 2000}, 2000, 2000},
		{"10000 references to each chunk of an object", index.Totals{
			Chunks: chunks, References: 10_001 * chunks, LogicalBytes: stored, StoredBytes: stored, TrashBytes: 10_000 * stored,
		}, 0, stored / 1000},
		{"these, and the object", index.Totals{
			Chunks: chunks, References: 10_001 * chunks, StoredBytes: stored, TrashBytes: 10_001 * stored,
		}, stored * 99 / 100, stored},
		{"a backup of which a hundredth is new", index.Totals{
			Chunks: chunks + chunks/100, References: 2 * chunks, LogicalBytes: stored, StoredBytes: stored + stored/100, TrashBytes: stored,
		}, stored / 110, stored / 90},
		{"more than can be counted", index.Totals{
			Chunks: 1, References: math.MaxInt64, LogicalBytes: math.MaxInt64, StoredBytes: stored, TrashBytes: math.MaxInt64,
		}, 0, stored},
		{"miscounted", index.Totals{
			Chunks: -1, References: -1, LogicalBytes: math.MinInt64, StoredBytes: -1, TrashBytes: math.MinInt64,
		}, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := garbageInTrash(&test.totals, chunk); got < test.least || got > test.most {
				t.Errorf("%d bytes, want %d to %d", got, test.least, test.most)
			}
		})
	}
}
