package clients

import (
	"context"
	"sync/atomic"

	"github.com/gabion-storage/gabion/index"
)

// An UnreachableIndex is an index in memory whose server cannot be reached now and then.
type UnreachableIndex struct {
	*index.Memory
	refused atomic.Pointer[refusals]
}

type refusals struct {
	err  error
	left atomic.Int64
}

// NewUnreachableIndex returns one that can be reached.
func NewUnreachableIndex() *UnreachableIndex { return &UnreachableIndex{Memory: index.NewMemory()} }

// Refuse has so many accesses fail with err.
func (i *UnreachableIndex) Refuse(err error, accesses int64) {
	r := &refusals{err: err}
	r.left.Store(accesses)
	i.refused.Store(r)
}

func (i *UnreachableIndex) reach() error {
	if r := i.refused.Load(); r != nil && r.left.Add(-1) >= 0 {
		return r.err
	}
	return nil
}

// View implements index.Store.
func (i *UnreachableIndex) View(ctx context.Context, fn func(index.Reader) error) error {
	if err := i.reach(); err != nil {
		return err
	}
	return i.Memory.View(ctx, fn)
}

// Get implements index.Store.
func (i *UnreachableIndex) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	return index.GetByView(ctx, i.View, keys)
}

// Update implements index.Store.
func (i *UnreachableIndex) Update(ctx context.Context, fn func(index.Tx) error) error {
	if err := i.reach(); err != nil {
		return err
	}
	return i.Memory.Update(ctx, fn)
}
