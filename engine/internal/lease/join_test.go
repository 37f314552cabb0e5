package lease_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/engine/internal/lease"
	"github.com/gabion-storage/gabion/index"
)

// TestJoinUnderANameThatLives fails, soon, and does the other one no harm.
func TestJoinUnderANameThatLives(t *testing.T) {
	inFleet(t, func(t *fleet) {
		a := t.join("a")
		begin := time.Now()
		_, err := t.tryJoin(t.Context(), "a", lasts)
		t.want("joining", err, lease.ErrNameTaken)
		if took := time.Since(begin); took > lasts {
			t.Errorf("it takes %v to find out", took)
		}
		t.want("a commit", commit(a.Store()), nil)
	})
}

// TestJoinUnderANameThatIsDead waits until the other's lease has ended, however long its own will
// last, and revokes it.
func TestJoinUnderANameThatIsDead(t *testing.T) {
	inFleet(t, func(t *fleet) {
		dead := t.join("a")
		dead.line.cut.Store(true)
		begin := time.Now()
		a := t.joinFor("a", 100*lasts)
		if took := time.Since(begin); took < lasts || took > lasts+2*renews {
			t.Errorf("it takes %v", took)
		}
		dead.line.cut.Store(false)
		t.want("a commit", commit(a.Store()), nil)
		t.want("a commit of the dead", commit(dead.Store()), lease.ErrLost)
	})
}

// TestJoinAfterLeaving has a name that is free at once.
func TestJoinAfterLeaving(t *testing.T) {
	inFleet(t, func(t *fleet) {
		t.want("leaving", t.join("a").Leave(t.Context()), nil)
		begin := time.Now()
		t.join("a")
		if took := time.Since(begin); took > apart {
			t.Errorf("it takes %v", took)
		}
	})
}

// TestJoinWhileLeaving waits for a node that is about to leave.
func TestJoinWhileLeaving(t *testing.T) {
	inFleet(t, func(t *fleet) {
		a := t.join("a")
		a.line.cut.Store(true)
		time.AfterFunc(lasts/2, func() {
			a.line.cut.Store(false)
			t.want("leaving", a.Leave(context.Background()), nil)
		})
		begin := time.Now()
		t.join("a")
		if took := time.Since(begin); took > lasts/2+2*renews {
			t.Errorf("it takes %v", took)
		}
	})
}

// TestOnlyOneJoins of those who want the name of the dead.
func TestOnlyOneJoins(t *testing.T) {
	inFleet(t, func(t *fleet) {
		t.join("a").line.cut.Store(true)
		var wait sync.WaitGroup
		var joined atomic.Int32
		for range 3 {
			time.Sleep(apart)
			wait.Go(func() {
				n, err := t.tryJoin(t.Context(), "a", lasts)
				if err != nil {
					t.want("joining", err, lease.ErrNameTaken)
					return
				}
				joined.Add(1)
				time.Sleep(lasts)
				t.want("a commit", commit(n.Store()), nil)
				t.want("leaving", n.Leave(t.Context()), nil)
			})
		}
		if wait.Wait(); joined.Load() != 1 {
			t.Errorf("%d nodes join", joined.Load())
		}
	})
}

// TestJoinGivesUp when its context ends.
func TestJoinGivesUp(t *testing.T) {
	inFleet(t, func(t *fleet) {
		t.join("a").line.cut.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), lasts/2)
		defer cancel()
		_, err := t.tryJoin(ctx, "a", lasts)
		t.want("joining", err, context.DeadlineExceeded)
	})
}

// TestJoinKnowsWhatIsCondemned, and begins in the epoch of the fleet.
func TestJoinKnowsWhatIsCondemned(t *testing.T) {
	inFleet(t, func(t *fleet) {
		a := t.join("a")
		turn := t.take(a)
		t.advance(turn, 5)
		e := t.advance(turn, 7, 3)
		t.want("forgetting", turn.Forget(t.Context(), 3), nil)
		b := t.join("b")
		b.wantTold(t, 5, 7)
		if began := b.Begin(); began != e {
			t.Errorf("a call begins in %d, want %d", began, e)
		}
		if oldest := lease.Epoch(t.row("b").Record.Oldest); oldest != e {
			t.Errorf("the oldest epoch is %d, want %d", oldest, e)
		}
	})
}

// TestLeave: who has left commits nothing, and nobody waits for it. That is no alarm.
func TestLeave(t *testing.T) {
	inFleet(t, func(t *fleet) {
		a, b := t.join("a"), t.join("b")
		t.take(b)
		b.Begin()
		for range 2 {
			t.want("leaving", b.Leave(t.Context()), nil)
		}
		t.want("a commit", commit(b.Store()), lease.ErrLost)
		b.wantAlarms(t)
		turn := t.take(a)
		t.want("waiting", t.wait(turn, t.advance(turn), renews), nil)
	})
}

// TestLeaveWithoutTheIndex fails, and ends the renewals all the same.
func TestLeaveWithoutTheIndex(t *testing.T) {
	inFleet(t, func(t *fleet) {
		a, b := t.join("a"), t.join("b")
		b.line.cut.Store(true)
		t.want("leaving", b.Leave(t.Context()), index.ErrUnavailable)
		b.line.cut.Store(false)
		turn := t.take(a)
		t.want("waiting", t.wait(turn, t.advance(turn), 2*lasts), nil)
		t.want("a commit", commit(b.Store()), lease.ErrLost)
	})
}
