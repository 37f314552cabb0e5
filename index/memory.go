package index

import (
	"context"
	"iter"
	"math"
	"sync/atomic"
)

// Memory is a Store that forgets everything when closed: the reference for tests, with the same
// semantics and limits as any other.
type Memory struct {
	serial *Serial
}

// NewMemory returns an empty Store.
func NewMemory() *Memory {
	return &Memory{serial: NewSerial(&memory{})}
}

// View implements Store.
func (m *Memory) View(ctx context.Context, fn func(Reader) error) error {
	return m.serial.View(ctx, fn)
}

// Get implements Store.
func (m *Memory) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	return m.serial.Get(ctx, keys...)
}

// Update implements Store.
func (m *Memory) Update(ctx context.Context, fn func(Tx) error) error {
	return m.serial.Update(ctx, fn)
}

// Failure implements Store.
func (m *Memory) Failure() error { return m.serial.Failure() }

// Free implements Store. Nothing bounds a Memory.
func (m *Memory) Free() (int64, error) { return m.serial.Free() }

// Usage implements Store. A Memory has nothing on disk.
func (m *Memory) Usage(ctx context.Context) (Usage, error) { return m.serial.Usage(ctx) }

// Compact implements Store. A Memory has nothing to compact.
func (m *Memory) Compact(ctx context.Context) error { return m.serial.Compact(ctx) }

// Close implements Store.
func (m *Memory) Close() error { return m.serial.Close() }

// memory is the Backend of a Memory. A snapshot is simply the root at that time.
type memory struct {
	root atomic.Pointer[node]
}

func (m *memory) Ready() error { return nil }

func (m *memory) Fault() error { return nil }

func (m *memory) Free() (int64, error) { return math.MaxInt64, nil }

func (m *memory) Usage(context.Context) (Usage, error) { return Usage{}, nil }

func (m *memory) Compact(context.Context) error { return nil }

func (m *memory) Snapshot(context.Context) (Snapshot, error) {
	return memorySnapshot{m.root.Load()}, nil
}

func (m *memory) Commit(changes iter.Seq[Change]) error {
	root := m.root.Load()
	for c := range changes {
		if c.Removed {
			root = root.without(c.Key)
		} else {
			root = root.with(entry{key: c.Key, value: c.Value})
		}
	}
	m.root.Store(root)
	return nil
}

func (m *memory) Close() error {
	m.root.Store(nil)
	return nil
}

type memorySnapshot struct {
	root *node
}

func (s memorySnapshot) Get(key []byte) ([]byte, error) {
	e := s.root.find(key)
	if e == nil {
		return nil, ErrNotFound
	}
	return cloned(e.value), nil
}

func (s memorySnapshot) Scan(start, end []byte) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		c := s.root.seek(start, end)
		for e := c.next(); e != nil; e = c.next() {
			if !yield(e.item(), nil) {
				return
			}
		}
	}
}

func (s memorySnapshot) Release() {}
