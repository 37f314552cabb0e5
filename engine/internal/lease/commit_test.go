package lease_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gabion-storage/gabion/engine/internal/lease"
	"github.com/gabion-storage/gabion/index"
)

// TestCommit: a node commits while it has its lease, however long that is.
func TestCommit(t *testing.T) {
	inFleet(t, func(t *fleet) {
		a, b := t.join("a"), t.join("b")
		for range 5 {
			time.Sleep(10 * lasts)
			t.want("a commit of a", commit(a.Store()), nil)
			t.want("a commit of b", commit(b.Store()), nil)
			t.want("Confirm", a.Confirm(t.Context()), nil)
		}
		a.wantAlarms(t)
		b.wantAlarms(t)
	})
}

// TestStoppedNode: the lease of a node that does not renew holds for as long as nobody wants it
// gone. Then the node commits nothing, for good, and tells so once.
func TestStoppedNode(t *testing.T) {
	inFleet(t, func(t *fleet) {
		a, b := t.join("a"), t.join("b")
		b.line.cut.Store(true)
		time.Sleep(10 * lasts)
		b.line.cut.Store(false)
		t.want("a late commit", commit(b.Store()), nil)
		time.Sleep(renews + apart)
		b.wantAlarms(t, index.ErrUnavailable)

		b.line.cut.Store(true)
		turn := t.take(a)
		t.want("waiting", t.wait(turn, t.advance(turn), 2*lasts), nil)
		b.line.cut.Store(false)
		for range 3 {
			t.want("a commit without a lease", commit(b.Store()), lease.ErrLost)
			t.want("Confirm", b.Confirm(t.Context()), lease.ErrLost)
			_, err := b.Take(t.Context())
			t.want("taking the turn", err, lease.ErrLost)
			time.Sleep(lasts)
		}
		b.wantAlarms(t, index.ErrUnavailable, lease.ErrLost)
	})
}

// TestLostUnasked: a node that asks for nothing is told as well that it has lost its lease.
func TestLostUnasked(t *testing.T) {
	inFleet(t, func(t *fleet) {
		a, b := t.join("a"), t.join("b")
		b.line.cut.Store(true)
		turn := t.take(a)
		t.want("waiting", t.wait(turn, t.advance(turn), 2*lasts), nil)
		b.line.cut.Store(false)
		time.Sleep(renews + apart)
		b.wantAlarms(t, index.ErrUnavailable, lease.ErrLost)
	})
}

// TestRenewedInTime: a lease is not revoked when it was renewed after its node had been found to
// stand still.
func TestRenewedInTime(t *testing.T) {
	inFleet(t, func(t *fleet) {
		a, b := t.join("a"), t.join("b")
		t.take(b)
		time.Sleep(lasts)
		b.line.cut.Store(true)
		time.Sleep(2 * lasts)
		b.line.cut.Store(false)
		for before := t.row("b"); t.row("b").Record == before.Record; {
			time.Sleep(apart / 2)
		}
		_, err := a.Take(t.Context()) // which has not looked since
		t.want("taking the turn", err, lease.ErrTurnTaken)
	})
}

// TestOutage: when the index is away, from all nodes, all leases are as they were.
func TestOutage(t *testing.T) {
	inFleet(t, func(t *fleet) {
		a, b := t.join("a"), t.join("b")
		turn := t.take(a)
		b.Begin()
		time.Sleep(lasts - apart/2) // a has looked since b renewed last
		for _, n := range []*node{a, b} {
			n.line.cut.Store(true)
		}
		time.Sleep(100 * lasts)
		for _, n := range []*node{a, b} {
			n.line.cut.Store(false)
		}
		err := t.wait(turn, t.advance(turn), lasts)
		t.want("waiting for a call", err, context.DeadlineExceeded)
		t.want("a commit", commit(b.Store()), nil)
		a.wantAlarms(t, index.ErrUnavailable)
		b.wantAlarms(t, index.ErrUnavailable)
	})
}

// TestStall: a node that was stopped as a whole, and the others not, does not revoke what it has
// not seen since.
func TestStall(t *testing.T) {
	inFleet(t, func(t *fleet) {
		a, b := t.join("a"), t.join("b")
		t.take(b)
		time.Sleep(lasts)
		a.line.cut.Store(true)
		time.Sleep(100 * lasts)
		a.line.cut.Store(false)
		_, err := a.Take(t.Context())
		t.want("taking the turn", err, lease.ErrTurnTaken)
	})
}

// TestLeasesOfDifferentLength: a node is waited for as long as its own lease lasts, whoever waits.
func TestLeasesOfDifferentLength(t *testing.T) {
	inFleet(t, func(t *fleet) {
		const long = 20 * lasts
		a, b := t.join("a"), t.joinFor("b", long)
		turn := t.take(a)
		b.Begin()
		e := t.advance(turn)
		t.want("waiting for who lives", t.wait(turn, e, 10*long), context.DeadlineExceeded)
		t.want("a commit", commit(b.Store()), nil)
		b.line.cut.Store(true)
		t.want("waiting too short", t.wait(turn, e, long/2), context.DeadlineExceeded)
		t.want("waiting for the dead", t.wait(turn, e, long), nil)
	})
}

// TestRunInVain: a node whose lease is not there in a run that is in vain has not lost it.
func TestRunInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{t, &forgetful{Store: index.NewMemory(), empty: index.NewMemory()}}
		f.Cleanup(func() { f.want("closing", f.index.Close(), nil) })
		a := f.join("a")
		time.Sleep(lasts)
		f.want("a commit", commit(a.Store()), nil)
		f.want("a commit with the turn", commit(f.take(a).Store()), nil)
		a.wantAlarms(f)
	})
}

// forgetful runs each update on an empty index first, in vain.
type forgetful struct {
	index.Store
	empty index.Store
}

func (s *forgetful) Update(ctx context.Context, fn func(index.Tx) error) error {
	return s.Store.Update(ctx, func(tx index.Tx) error {
		_ = s.empty.View(ctx, func(r index.Reader) error { return index.Rehearse(r, fn) })
		return fn(tx)
	})
}

func (s *forgetful) Close() error {
	_ = s.empty.Close()
	return s.Store.Close()
}
