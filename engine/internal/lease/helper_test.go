package lease_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gabion-storage/gabion/engine/internal/lease"
	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/indextest"
)

// lasts is how long a lease does in tests.
const lasts = 12 * time.Second

// A fleet is nodes over one index, whose updates run a first time in vain.
type fleet struct {
	*testing.T
	index index.Store
}

// inFleet runs a test in a bubble, with a fleet that has no nodes yet.
func inFleet(t *testing.T, test func(*fleet)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{t, indextest.Rehearsed(index.NewMemory())}
		t.Cleanup(func() {
			if err := f.index.Close(); err != nil {
				t.Error(err)
			}
		})
		test(f)
	})
}

// A node is a lease.Node, and what it was told. Its connection to the index can be cut.
type node struct {
	*lease.Node
	line *line

	mu        sync.Mutex // guards the fields below
	condemned []uint64
	alarms    []error
}

func (n *node) isTold(volumes []uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.condemned = append(n.condemned, volumes...)
}

func (n *node) isAlarmed(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.alarms = append(n.alarms, err)
}

// told returns the volumes that the node was told of since the last call, and alarmed the errors.
func (n *node) told() []uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	told := n.condemned
	n.condemned = nil
	return told
}

func (n *node) alarmed() []error {
	n.mu.Lock()
	defer n.mu.Unlock()
	alarms := n.alarms
	n.alarms = nil
	return alarms
}

// tryJoin is lease.Join.
func (f *fleet) tryJoin(ctx context.Context, name string) (*node, error) {
	n := &node{line: &line{Store: f.index}}
	var err error
	n.Node, err = lease.Join(ctx, lease.Config{
		Index: n.line, Name: name, Lease: lasts, Condemned: n.isTold, Alarm: n.isAlarmed,
	})
	return n, err
}

// join returns a node that has joined, and leaves when the test ends.
func (f *fleet) join(name string) *node {
	f.Helper()
	n, err := f.tryJoin(f.Context(), name)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		n.line.mend()
		if err := n.Leave(context.Background()); err != nil {
			f.Error(err)
		}
	})
	return n
}

// take returns the turn.
func (f *fleet) take(n *node) *lease.Turn {
	f.Helper()
	turn, err := n.Take(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	return turn
}

// advance begins an epoch.
func (f *fleet) advance(turn *lease.Turn, condemn ...uint64) lease.Epoch {
	f.Helper()
	e, err := turn.Advance(f.Context(), condemn, nothing)
	if err != nil {
		f.Fatal(err)
	}
	return e
}

// want wants an error to be of a kind, and nil if that is nil.
func (f *fleet) want(what string, err, kind error) {
	f.Helper()
	if !errors.Is(err, kind) {
		f.Errorf("%s: %v, want %v", what, err, kind)
	}
}

// commit writes a record.
func commit(s index.Store) error {
	return s.Update(context.Background(), func(tx index.Tx) error {
		return tx.Put([]byte("key"), []byte("value"))
	})
}

// nothing is a transaction that does nothing.
func nothing(index.Tx) error { return nil }

// A line is a connection to the index that can be cut.
type line struct {
	index.Store

	mu  sync.Mutex // guards cut
	cut bool
}

func (l *line) set(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = cut
}

func (l *line) tear() { l.set(true) }
func (l *line) mend() { l.set(false) }

func (l *line) err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		return index.ErrUnavailable
	}
	return nil
}

func (l *line) View(ctx context.Context, fn func(index.Reader) error) error {
	if err := l.err(); err != nil {
		return err
	}
	return l.Store.View(ctx, fn)
}

func (l *line) Update(ctx context.Context, fn func(index.Tx) error) error {
	if err := l.err(); err != nil {
		return err
	}
	return l.Store.Update(ctx, fn)
}
