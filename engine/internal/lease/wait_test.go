package lease_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gabion-storage/gabion/engine/internal/lease"
)

// TestWaitForNobody: an epoch passes about as soon as the other nodes renew their leases.
func TestWaitForNobody(t *testing.T) {
	inFleet(t, func(t *fleet) {
		a := t.join("a")
		t.join("b")
		t.join("c")
		turn := t.take(a)
		t.want("waiting", t.wait(turn, t.advance(turn), 2*renews), nil)
	})
}

// TestWaitAlone: an epoch passes at once where there is no other node.
func TestWaitAlone(t *testing.T) {
	inFleet(t, func(t *fleet) {
		turn := t.take(t.join("a"))
		t.want("waiting", t.wait(turn, t.advance(turn), 1), nil)
	})
}

// TestWaitForACall of another node, and of this one, however long it takes. Calls that have begun
// since do not count.
func TestWaitForACall(t *testing.T) {
	inFleet(t, func(t *fleet) {
		a, b := t.join("a"), t.join("b")
		turn := t.take(a)
		for _, n := range []*node{a, b} {
			began := n.Begin()
			e := t.advance(turn)
			err := t.wait(turn, e, 100*lasts)
			t.want("waiting for a call", err, context.DeadlineExceeded)
			later := n.Begin()
			if later < e {
				t.Errorf("a call begins in %d, long after %d has begun", later, e)
			}
			n.End(began)
			t.want("waiting after the call", t.wait(turn, e, 2*renews), nil)
			n.End(later)
		}
	})
}

// TestWaitForWhatIsKept: an Object that is open outlives the call, and is waited for.
func TestWaitForWhatIsKept(t *testing.T) {
	inFleet(t, func(t *fleet) {
		a, b := t.join("a"), t.join("b")
		turn := t.take(a)
		began := b.Begin()
		b.Keep(began)
		b.End(began)
		e := t.advance(turn)
		t.want("waiting", t.wait(turn, e, 10*lasts), context.DeadlineExceeded)
		b.End(began)
		t.want("waiting after the end", t.wait(turn, e, 2*renews), nil)
	})
}

// TestWaitForTheDead ends with their leases.
func TestWaitForTheDead(t *testing.T) {
	inFleet(t, func(t *fleet) {
		a, b, c := t.join("a"), t.join("b"), t.join("c")
		b.Begin()
		c.Begin()
		b.line.cut.Store(true)
		turn := t.take(a)
		e := t.advance(turn)
		t.want("waiting", t.wait(turn, e, 2*lasts), context.DeadlineExceeded)
		b.line.cut.Store(false)
		t.want("a commit of the dead", commit(b.Store()), lease.ErrLost)
		t.want("a commit of who lives", commit(c.Store()), nil)
		c.line.cut.Store(true)
		t.want("waiting for the last", t.wait(turn, e, 2*lasts), nil)
	})
}

// TestWaitWithoutTheTurn fails, even if the epoch never passes.
func TestWaitWithoutTheTurn(t *testing.T) {
	inFleet(t, func(t *fleet) {
		a, b := t.join("a"), t.join("b")
		b.Begin()
		turn := t.take(a)
		e := t.advance(turn)
		time.AfterFunc(lasts, func() { t.take(a) })
		t.want("waiting", t.wait(turn, e, 2*lasts), lease.ErrTurnLost)
	})
}

// TestWaitWithoutALease fails, even if the epoch never passes.
func TestWaitWithoutALease(t *testing.T) {
	inFleet(t, func(t *fleet) {
		a, b := t.join("a"), t.join("b")
		b.Begin()
		turn := t.take(a)
		e := t.advance(turn)
		time.AfterFunc(lasts, func() { t.revoke(a) })
		t.want("waiting", t.wait(turn, e, 2*lasts), lease.ErrLost)
	})
}

// TestBeginBetween: a call that begins while a node is told of what is condemned has begun before
// that, and is waited for. Nobody else knows the new epoch before the node was told.
func TestBeginBetween(t *testing.T) {
	inFleet(t, func(t *fleet) {
		a, b := t.join("a"), t.join("b")
		turn := t.take(a)
		var began lease.Epoch
		b.onTold = func() { began = b.Begin() }
		e := t.advance(turn, 1)
		t.want("waiting", t.wait(turn, e, 10*lasts), context.DeadlineExceeded)
		b.wantTold(t, 1)
		if began >= e {
			t.Errorf("the call begins in %d, though not all that was condemned in %d is known", began, e)
		}
		b.End(began)
		t.want("waiting after the call", t.wait(turn, e, 2*renews), nil)
	})
}

// TestTold: a node that begins calls in an epoch was told of all that is condemned by then, once, and so
// comes to know what is not any more.
func TestTold(t *testing.T) {
	inFleet(t, func(t *fleet) {
		a, b := t.join("a"), t.join("b")
		turn := t.take(a)
		e := t.advance(turn, 1, 2)
		b.wantTold(t)
		t.want("waiting", t.wait(turn, e, 2*renews), nil)
		a.wantTold(t, 1, 2)
		b.wantTold(t, 1, 2)
		e = t.advance(turn, 3)
		t.want("waiting", t.wait(turn, e, 2*renews), nil)
		a.wantTold(t, 1, 2, 3)
		b.wantTold(t, 1, 2, 3)
		for _, v := range []uint64{1, 3} {
			t.want("forgetting", turn.Forget(t.Context(), v), nil)
		}
		time.Sleep(10 * lasts)
		b.wantTold(t)
		e = t.advance(turn, 4)
		t.want("waiting", t.wait(turn, e, 2*renews), nil)
		b.wantTold(t, 2, 4)
	})
}

// TestOldNews: who waits for an epoch renews the lease beside the node's own renewals. What one of these
// read before and takes in after that is not news: a volume that it did not know to be condemned would
// be taken for one that was removed.
func TestOldNews(t *testing.T) {
	inFleet(t, func(t *fleet) {
		a := t.join("a")
		turn := t.take(a)
		t.advance(turn, 1)
		late := make(chan struct{})
		a.line.late.Store(&late)
		time.Sleep(renews)
		synctest.Wait() // the renewal has read of 1
		e := t.advance(turn, 2)
		t.want("waiting", t.wait(turn, e, 2*renews), nil)
		a.wantTold(t, 1, 2)
		close(late)
		synctest.Wait()
		a.wantTold(t)
	})
}
