package nodes

import (
	"bytes"
	"context"
	"errors"
	"sync"

	"github.com/gabion-storage/gabion/index"
)

// immortal is an index in which a node finds its lease, whatever has become of it: what a fleet is
// when commits do not look for it.
type immortal struct {
	index.Store

	mu    sync.Mutex // guards what follows
	key   []byte     // of the lease; nil: the node has none yet
	lease []byte     // as the node has written it last
}

// Update implements index.Store.
func (s *immortal) Update(ctx context.Context, fn func(index.Tx) error) error {
	return s.Store.Update(ctx, func(tx index.Tx) error { return fn(&immortalTx{tx, s}) })
}

type immortalTx struct {
	index.Tx
	store *immortal
}

// Put implements index.Tx. The first lease that a node writes is its own.
func (tx *immortalTx) Put(key, value []byte) error {
	s := tx.store
	s.mu.Lock()
	if _, err := index.ParseNodeKey(key); err == nil && s.key == nil {
		s.key = bytes.Clone(key)
	}
	if bytes.Equal(key, s.key) {
		s.lease = bytes.Clone(value)
	}
	s.mu.Unlock()
	return tx.Tx.Put(key, value)
}

// Get implements index.Reader.
func (tx *immortalTx) Get(key []byte) ([]byte, error) {
	value, err := tx.Tx.Get(key)
	s := tx.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if errors.Is(err, index.ErrNotFound) && s.key != nil && bytes.Equal(key, s.key) {
		return bytes.Clone(s.lease), nil
	}
	return value, err
}
