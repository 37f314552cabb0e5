package lease_test

import (
	"maps"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/engine/internal/lease"
)

// TestOneHasTheTurn, until it releases it.
func TestOneHasTheTurn(t *testing.T) {
	inFleet(t, func(t *fleet) {
		a, b := t.join("a"), t.join("b")
		turn := t.take(a)
		for range 3 {
			_, err := b.Take(t.Context())
			t.want("taking the turn", err, lease.ErrTurnTaken)
			time.Sleep(10 * lasts)
			t.want("a commit with the turn", commit(turn.Store()), nil)
		}
		t.want("releasing", turn.Release(t.Context()), nil)
		t.want("a commit after the turn", commit(turn.Store()), lease.ErrTurnLost)
		t.want("a commit of the node", commit(a.Store()), nil)
		t.take(b)
		t.want("releasing what is over", turn.Release(t.Context()), nil)
	})
}

// TestTurnOfTheDead is there to be taken once the lease has ended. Nobody has to wait for that.
func TestTurnOfTheDead(t *testing.T) {
	inFleet(t, func(t *fleet) {
		a, b := t.join("a"), t.join("b")
		old := t.take(a)
		a.line.cut.Store(true)
		begin := time.Now()
		_, err := b.Take(t.Context())
		t.want("taking the turn", err, lease.ErrTurnTaken)
		if time.Since(begin) > 0 {
			t.Errorf("that takes %v", time.Since(begin))
		}
		time.Sleep(lasts + 2*renews)
		turn := t.take(b)
		a.line.cut.Store(false)
		t.want("a late commit of the dead", commit(old.Store()), lease.ErrLost)
		_, err = old.Advance(t.Context(), nil)
		t.want("a late epoch", err, lease.ErrLost)
		t.want("a commit", commit(turn.Store()), nil)
	})
}

// TestTerms: who takes the turn again, though it has it, begins another term. What it was about to
// do in the old one, it does not.
func TestTerms(t *testing.T) {
	inFleet(t, func(t *fleet) {
		a := t.join("a")
		old := t.take(a)
		turn := t.take(a)
		t.want("a commit in the old term", commit(old.Store()), lease.ErrTurnLost)
		_, err := old.Advance(t.Context(), []uint64{1})
		t.want("an epoch in the old term", err, lease.ErrTurnLost)
		t.want("forgetting in the old term", old.Forget(t.Context(), 1), lease.ErrTurnLost)
		t.want("releasing in the old term", old.Release(t.Context()), nil)
		t.want("a commit", commit(turn.Store()), nil)
		t.want("a commit of the node", commit(a.Store()), nil)
	})
}

// TestAdvance: every epoch is the next one, and has the volumes that were condemned in it, until
// they are forgotten.
func TestAdvance(t *testing.T) {
	inFleet(t, func(t *fleet) {
		turn := t.take(t.join("a"))
		wantCondemned := func(want map[uint64]lease.Epoch) {
			t.Helper()
			got, err := turn.Condemned(t.Context())
			if err != nil || !maps.Equal(got, want) {
				t.Errorf("condemned is %v, %v, want %v", got, err, want)
			}
		}
		first := t.advance(turn, 7, 3)
		wantCondemned(map[uint64]lease.Epoch{3: first, 7: first})
		second := t.advance(turn, 4)
		if second != first+1 {
			t.Errorf("the epoch after %d is %d", first, second)
		}
		t.want("forgetting", turn.Forget(t.Context(), 7), nil)
		wantCondemned(map[uint64]lease.Epoch{3: first, 4: second})
	})
}
