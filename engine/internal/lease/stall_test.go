package lease_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gabion-storage/gabion/engine/internal/lease"
)

// TestStalledWrites has no Update of any node get through for longer than their leases last, as when the
// database's disk is full or a standby is waited for, while Views go on. Nobody could renew, so no lease
// has ended, also when the node that waits for an epoch gets through first.
func TestStalledWrites(t *testing.T) {
	inFleet(t, func(t *fleet) {
		a, b := t.join("a"), t.join("b")
		turn := t.take(a)
		began := b.Begin()
		e := t.advance(turn)
		waited := make(chan error)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { waited <- turn.Wait(ctx, e) }()
		time.Sleep(lasts)
		first, second := make(chan struct{}), make(chan struct{})
		a.line.stalls.Store(&first)
		b.line.stalls.Store(&second)
		time.Sleep(20 * time.Second)
		close(first)
		synctest.Wait()
		time.Sleep(apart)
		close(second)
		time.Sleep(2 * lasts)
		t.want("a commit", commit(b.Store()), nil)
		b.wantAlarms(t)
		b.End(began)
		t.want("waiting", <-waited, nil)
		cancel()
		a.wantAlarms(t)
	})
}

// TestStalledDead: who does not renew when writes go on again is given up.
func TestStalledDead(t *testing.T) {
	inFleet(t, func(t *fleet) {
		a, b := t.join("a"), t.join("b")
		turn := t.take(a)
		b.line.cut.Store(true)
		stall := make(chan struct{})
		a.line.stalls.Store(&stall)
		time.Sleep(20 * time.Second)
		close(stall)
		t.want("waiting", t.wait(turn, t.advance(turn), 2*lasts), nil)
		b.line.cut.Store(false)
		t.want("a commit of the dead", commit(b.Store()), lease.ErrLost)
	})
}
