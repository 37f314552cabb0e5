package lease_test

import (
	"testing"
	"time"

	"github.com/gabion-storage/gabion/engine/internal/lease"
)

// TestCommit: a node commits while it has its lease, however long that is.
func TestCommit(t *testing.T) {
	inFleet(t, func(t *fleet) {
		a, b := t.join("a"), t.join("b")
		for range 5 {
			time.Sleep(10 * lasts)
			t.want("a commit of a", commit(a.Store()), nil)
			t.want("a commit of b", commit(b.Store()), nil)
		}
		if alarms := append(a.alarmed(), b.alarmed()...); len(alarms) > 0 {
			t.Errorf("alarms: %v", alarms)
		}
	})
}

// TestRevoke: a node that does not renew keeps its lease until somebody wants it gone. Then it
// commits nothing, for good.
func TestRevoke(t *testing.T) {
	inFleet(t, func(t *fleet) {
		a, b := t.join("a"), t.join("b")
		b.Begin()
		b.line.tear()
		time.Sleep(10 * lasts)
		b.line.mend()
		t.want("a late commit", commit(b.Store()), nil)
		b.line.tear()

		turn := t.take(a)
		t.want("waiting", turn.Wait(t.Context(), t.advance(turn)), nil)
		b.line.mend()
		for range 2 {
			t.want("a commit after the lease", commit(b.Store()), lease.ErrLost)
			t.want("Confirm", b.Confirm(t.Context()), lease.ErrLost)
			time.Sleep(lasts)
		}
	})
}
