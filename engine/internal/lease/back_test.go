package lease_test

import (
	"context"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/engine/internal/lease"
	"github.com/gabion-storage/gabion/index"
)

// TestEarlierEpoch: when the index comes to say an epoch before one that a node has seen, the node's
// lease is lost. What it knows of volumes is not of this index.
func TestEarlierEpoch(t *testing.T) {
	inFleet(t, func(t *fleet) {
		a, b := t.join("a"), t.join("b")
		turn := t.take(a)
		t.advance(turn)
		t.want("waiting", t.wait(turn, t.advance(turn), 2*renews), nil)
		t.want("going back", t.index.Update(context.Background(), func(tx index.Tx) error {
			fleet, err := index.GetFleet(tx)
			if err != nil {
				return err
			}
			fleet.Epoch--
			return index.Put(tx, index.FleetKey(), &fleet)
		}), nil)
		time.Sleep(2 * renews)
		for _, n := range []*node{a, b} {
			n.wantAlarms(t, lease.ErrLost)
			t.want("a commit", commit(n.Store()), lease.ErrLost)
			t.want("confirming", n.Confirm(t.Context()), lease.ErrLost)
		}
	})
}

// TestEarlierLease: when the index is as it was before a node's last renewal, the node commits
// nothing, not even before its next one.
func TestEarlierLease(t *testing.T) {
	inFleet(t, func(t *fleet) {
		a, b := t.join("a"), t.join("b")
		before := t.row("a")
		time.Sleep(2 * renews)
		t.want("going back", t.index.Update(context.Background(), func(tx index.Tx) error {
			return index.Put(tx, before.Key, &before.Record)
		}), nil)
		t.want("confirming", a.Confirm(t.Context()), lease.ErrLost)
		t.want("a commit", commit(a.Store()), lease.ErrLost)
		a.wantAlarms(t, lease.ErrLost)
		t.want("a commit of another", commit(b.Store()), nil)
	})
}
