package engine

import (
	"context"
	"errors"

	"github.com/gabion-storage/gabion/engine/internal/ledger"
	"github.com/gabion-storage/gabion/index"
)

// Copies by reference lean on chunks that nobody reads. What is known to be damaged, or turns out
// not to be there, is not acknowledged once more.

// checkUndamaged fails when a chunk of a content is known to be damaged. It costs one small read
// while no chunk of the store is, and one for each volume that is missing or cannot be read.
func (e *Engine) checkUndamaged(ctx context.Context, id index.ContentID) error {
	return e.index.View(ctx, func(r index.Reader) error {
		some, err := e.damage.suspects(r)
		if err != nil || !some {
			return err
		}
		for entry, err := range index.Scan(r, index.PartsOf(id)) {
			if err != nil {
				return err
			}
			if err := e.checkManifest(ctx, r, entry.Record.Manifest); err != nil {
				return err
			}
		}
		return nil
	})
}

func (e *Engine) checkManifest(ctx context.Context, r index.Reader, id index.ManifestID) error {
	for entry, err := range index.Scan(r, index.PagesOf(id)) {
		if err != nil {
			return err
		}
		for _, c := range entry.Record.Chunks {
			rec, err := index.Get(r, index.ChunkKey(c.ID))
			if errors.Is(err, index.ErrNotFound) {
				err = ledger.MissingRecord(c.ID)
			}
			if err == nil {
				err = e.damage.KnownIn(c.ID, &rec)
			}
			if err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}
