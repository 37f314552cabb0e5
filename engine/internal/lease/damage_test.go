package lease_test

import (
	"context"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/engine/internal/lease"
	"github.com/gabion-storage/gabion/index"
)

// TestNoAnswer has a node's looks at the others get no answer. It goes on renewing its lease.
func TestNoAnswer(t *testing.T) {
	inFleet(t, func(t *fleet) {
		a, b := t.join("a"), t.join("b")
		a.line.hangs.Store(true)
		defer a.line.hangs.Store(false)
		turn := t.take(b)
		for range 3 {
			t.want("waiting", t.wait(turn, t.advance(turn), 10*lasts), nil)
		}
		t.want("a commit", commit(a.Store()), nil)
		a.wantAlarms(t, context.DeadlineExceeded)
	})
}

// damage damages a record of the index.
func (f *fleet) damage(key []byte) {
	f.Helper()
	f.want("damaging", f.index.Update(context.Background(), func(tx index.Tx) error {
		value, err := tx.Get(key)
		if err != nil {
			return err
		}
		value[len(value)/2] ^= 1
		return tx.Put(key, value)
	}), nil)
}

// TestDamagedLease has the record of a lease be damaged. Who had it has lost it, once the others have
// waited for it; they go on, and others join, also under that name.
func TestDamagedLease(t *testing.T) {
	inFleet(t, func(t *fleet) {
		a, b := t.join("a"), t.join("b")
		turn := t.take(a)
		t.damage(t.row("b").Key)
		t.want("waiting", t.wait(turn, t.advance(turn), 2*lasts), nil)
		t.want("a commit", commit(a.Store()), nil)
		time.Sleep(lasts)
		t.want("a commit of the other", commit(b.Store()), lease.ErrLost)
		t.join("b")
		t.join("c")
	})
}

// TestJoinBesideADamagedLease is of a node that comes alone to what others have left.
func TestJoinBesideADamagedLease(t *testing.T) {
	inFleet(t, func(t *fleet) {
		dead := t.join("a")
		dead.line.cut.Store(true)
		t.damage(t.row("a").Key)
		for _, name := range []string{"a", "b"} {
			t.join(name)
		}
	})
}

// TestDamagedCondemnation has the record of a condemned volume be damaged. It counts as condemned,
// and as what has not passed, until it is condemned anew.
func TestDamagedCondemnation(t *testing.T) {
	inFleet(t, func(t *fleet) {
		a := t.join("a")
		turn := t.take(a)
		t.advance(turn, 5, 6)
		t.damage(index.CondemnedKey(5))
		b := t.join("b")
		b.wantTold(t, 5, 6)
		condemned, err := turn.Condemned(t.Context())
		if err != nil || condemned[5] != lease.Unknown || condemned[6] != 1 {
			t.Errorf("condemned are %v, %v", condemned, err)
		}
		e := t.advance(turn, 5)
		condemned, err = turn.Condemned(t.Context())
		if err != nil || condemned[5] != e {
			t.Errorf("condemned are %v, %v", condemned, err)
		}
	})
}
