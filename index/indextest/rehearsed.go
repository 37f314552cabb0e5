package indextest

import (
	"context"

	"github.com/gabion-storage/gabion/index"
)

// A rehearsed store runs every update twice.
type rehearsed struct{ index.Store }

// Rehearsed returns s with the first run of every Update in vain, on what was stored when Update
// was called: what other updates have changed since, only the second run sees. It is for tests of
// what is built on a Store, whose functions must not mind.
func Rehearsed(s index.Store) index.Store { return rehearsed{s} }

// Update implements index.Store.
func (s rehearsed) Update(ctx context.Context, fn func(index.Tx) error) error {
	return s.View(ctx, func(before index.Reader) error {
		return s.Store.Update(ctx, func(tx index.Tx) error {
			_ = index.Rehearse(before, fn) // in vain, whatever it says
			return fn(tx)
		})
	})
}
