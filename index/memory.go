package index

import (
	"context"
	"iter"
	"sync/atomic"
)

// Memory is a Store that forgets everything when closed: the reference for tests, with the same semantics and limits as Badger.
type Memory struct {
	serial *serial
}

// NewMemory returns an empty Store.
func NewMemory() *Memory {
	return &Memory{serial: newSerial(&memory{})}
}

// View implements Store.
func (m *Memory) View(ctx context.Context, fn func(Reader) error) error {
	return m.serial.view(ctx, fn)
}

// Update implements Store.
func (m *Memory) Update(ctx context.Context, fn func(Tx) error) error {
	return m.serial.update(ctx, fn)
}

// Failure implements Store.
func (m *Memory) Failure() error { return m.serial.failure() }

// Usage implements Store. A Memory has nothing on disk.
func (m *Memory) Usage(ctx context.Context) (Usage, error) { return m.serial.usage(ctx) }

// Compact implements Store. A Memory has nothing to compact.
func (m *Memory) Compact(ctx context.Context) error { return m.serial.compact(ctx) }

// Close implements Store.
func (m *Memory) Close() error { return m.serial.close() }

// memory is the database of a Memory. A snapshot is simply the root at that time.
type memory struct {
	root atomic.Pointer[node]
}

func (m *memory) ready() error { return nil }

func (m *memory) closable() error { return nil }

func (m *memory) fault() error { return nil }

func (m *memory) usage() (Usage, error) { return Usage{}, nil }

func (m *memory) compact(context.Context) error { return nil }

func (m *memory) snapshot() snapshot { return memorySnapshot{m.root.Load()} }

func (m *memory) commit(changes *node) error {
	root := m.root.Load()
	all := changes.seek(nil, nil)
	for e := all.next(); e != nil; e = all.next() {
		if e.removed {
			root = root.without(e.key)
		} else {
			root = root.with(*e)
		}
	}
	m.root.Store(root)
	return nil
}

func (m *memory) close() error {
	m.root.Store(nil)
	return nil
}

type memorySnapshot struct {
	root *node
}

func (s memorySnapshot) get(key []byte) ([]byte, error) {
	e := s.root.find(key)
	if e == nil {
		return nil, ErrNotFound
	}
	return cloned(e.value), nil
}

func (s memorySnapshot) scan(start, end []byte) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		c := s.root.seek(start, end)
		for e := c.next(); e != nil; e = c.next() {
			if !yield(e.item(), nil) {
				return
			}
		}
	}
}

func (s memorySnapshot) release() {}
