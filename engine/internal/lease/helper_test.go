package lease_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gabion-storage/gabion/engine/internal/lease"
	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/indextest"
)

// In tests a lease lasts so long, and is renewed so often. Nodes join a moment apart, so that no
// two of them ever do something at the same time.
const (
	lasts  = 12 * time.Second
	renews = lasts / 4
	apart  = renews / 8
)

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
	onTold    func() // is called when the node is told of condemned volumes
}

func (n *node) isTold(volumes []uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.condemned = append(n.condemned, volumes...)
	if n.onTold != nil {
		n.onTold()
	}
}

func (n *node) isAlarmed(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.alarms = append(n.alarms, err)
}

// wantTold wants the node to have been told of these volumes and no others since it was asked last.
func (n *node) wantTold(t *fleet, volumes ...uint64) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if slices.Sort(n.condemned); !slices.Equal(n.condemned, volumes) {
		t.Errorf("told of the volumes %v, want %v", n.condemned, volumes)
	}
	n.condemned = nil
}

// wantAlarms wants the node to have told of these errors and no others since it was asked last.
func (n *node) wantAlarms(t *fleet, kinds ...error) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if !slices.EqualFunc(n.alarms, kinds, errors.Is) {
		t.Errorf("alarms: %v, want %v", n.alarms, kinds)
	}
	n.alarms = nil
}

// tryJoin is lease.Join.
func (f *fleet) tryJoin(ctx context.Context, name string, lasts time.Duration) (*node, error) {
	time.Sleep(apart)
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
	return f.joinFor(name, lasts)
}

// joinFor is join with a lease that lasts so long.
func (f *fleet) joinFor(name string, lasts time.Duration) *node {
	f.Helper()
	n, err := f.tryJoin(f.Context(), name, lasts)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		n.line.cut.Store(false)
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

// wait waits until an epoch has passed, for so long at most.
func (f *fleet) wait(turn *lease.Turn, e lease.Epoch, most time.Duration) error {
	ctx, cancel := context.WithTimeout(f.Context(), most)
	defer cancel()
	return turn.Wait(ctx, e)
}

// row returns the key and the record of the lease of who has a name.
func (f *fleet) row(name string) (row index.Entry[index.Node]) {
	f.Helper()
	f.want("reading a lease", f.index.View(context.Background(), func(r index.Reader) error {
		for entry, err := range index.Scan(r, index.AllNodes()) {
			if err != nil {
				return err
			}
			if entry.Record.Name == name {
				row = entry
				return nil
			}
		}
		return index.ErrNotFound
	}), nil)
	return row
}

// revoke deletes the lease of a node.
func (f *fleet) revoke(n *node) {
	f.Helper()
	key := f.row(n.Name).Key
	f.want("revoking", f.index.Update(context.Background(), func(tx index.Tx) error {
		return index.Delete(tx, key)
	}), nil)
}

// advance begins an epoch.
func (f *fleet) advance(turn *lease.Turn, condemn ...uint64) lease.Epoch {
	f.Helper()
	e, err := turn.Advance(f.Context(), condemn)
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

// A line is a node's connection to the index, which can be cut.
type line struct {
	index.Store
	cut   atomic.Bool
	hangs atomic.Bool // a View gets no answer

	stalls atomic.Pointer[chan struct{}] // Updates begin when this is closed
	late   atomic.Pointer[chan struct{}] // the next Update has its answer when this is closed
}

func (l *line) View(ctx context.Context, fn func(index.Reader) error) error {
	if l.hangs.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	if l.cut.Load() {
		return index.ErrUnavailable
	}
	return l.Store.View(ctx, fn)
}

func (l *line) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	return index.GetByView(ctx, l.View, keys)
}

func (l *line) Update(ctx context.Context, fn func(index.Tx) error) error {
	if l.cut.Load() {
		return index.ErrUnavailable
	}
	if stalls := l.stalls.Load(); stalls != nil {
		<-*stalls
	}
	late := l.late.Swap(nil)
	err := l.Store.Update(ctx, fn)
	if late != nil {
		<-*late
	}
	return err
}
