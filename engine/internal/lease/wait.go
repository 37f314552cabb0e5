package lease

import (
	"context"

	"github.com/gabion-storage/gabion/index"
)

// polls is how often a Wait looks between two renewals.
const polls = 4

// Wait returns when an epoch has passed: then every call and open Object of every node that lives
// began in it, or later. It revokes the leases that have ended. What it waits for are calls of this
// node, too, so its caller must not have begun, or have ended.
func (t *Turn) Wait(ctx context.Context, e Epoch) error {
	if err := t.node.renew(ctx); err != nil {
		return err
	}
	for {
		passed, err := t.passed(ctx, e)
		if passed || err != nil {
			return err
		}
		if err := sleep(ctx, t.node.Lease/(renewals*polls)); err != nil {
			return err
		}
	}
}

// passed says whether an epoch has passed, once what is in the way has ended and is revoked.
func (t *Turn) passed(ctx context.Context, e Epoch) (bool, error) {
	m, err := t.node.look(ctx)
	if err != nil {
		return false, err
	}
	switch {
	case !m.have(t.node.id):
		return false, t.node.notice(ErrLost)
	case !t.has(&m.fleet):
		return false, ErrTurnLost
	}
	passed := true
	for _, l := range m.leases {
		if Epoch(l.Oldest) >= e {
			continue
		}
		gone, err := t.node.revoke(ctx, l)
		if err != nil {
			return false, err
		}
		passed = passed && gone
	}
	return passed, nil
}

// revoke revokes a lease if it has ended, and says whether it is gone.
func (n *Node) revoke(ctx context.Context, l lease) (gone bool, err error) {
	if !n.beats.ended(l) {
		return false, nil
	}
	err = n.Store().Update(ctx, func(tx index.Tx) (err error) {
		gone, err = n.revokeIn(tx, l.id)
		return err
	})
	return gone, err
}
