package engine

import (
	"context"

	"github.com/gabion-storage/gabion/engine/internal/ledger"
	"github.com/gabion-storage/gabion/index"
)

// referenceBytes is about what a reference makes the index write: an entry of a page, and the
// record of its chunk.
const referenceBytes = 160

// A trashMost is how much may be in the trash before copies by reference go at the pace of the
// sweeping.
type trashMost struct {
	references int64
	unnamed    int64 // manifests that were given up before anything named them
}

// mostTrash is some seconds of sweeping. The pages of so many references have 11 MiB, those of the
// manifests, of parts of 5 GiB, some 14 MiB.
var mostTrash = trashMost{references: 256 * index.MaxPageChunks, unnamed: 64}

// paceReferences is called before the n-th page of a part is copied by reference. It slows down
// as bodies are slowed down, by what the index writes; and when the trash has more references than
// the sweeping gets rid of at once, one page after the other is copied, each when a transaction of
// the sweeping is done, which drops up to four. So they do not pile up, however many clients copy.
func (e *Engine) paceReferences(ctx context.Context, part *index.Part, n int) error {
	references := 1
	if !part.Inline {
		references = min(part.Chunks-n*index.MaxPageChunks, index.MaxPageChunks)
	}
	bytes := references * referenceBytes
	if part.Inline {
		bytes += int(part.Size)
	}
	if err := e.throttle.Wait(ctx, bytes); err != nil {
		return err
	}
	if e.node != nil {
		return nil // nobody is slowed down, as in usage
	}
	// The totals count what is in the trash in bytes. These are taken to be in chunks like those of
	// this part, of which there are many there if it is such copies that fill the trash; but none are
	// taken to be smaller than any chunk but the last of a part.
	perReference := max(part.Size/int64(max(part.Chunks, 1)), minChunkSize)
	return e.throttle.WaitInTurn(ctx, func(left int64) (bool, error) {
		t, err := ledger.LookTotals(ctx, e.index)
		references := (t.TrashBytes - left) / perReference
		most := &e.trashMost
		return references > most.references || e.trash.Unswept() > most.unnamed, err
	})
}
