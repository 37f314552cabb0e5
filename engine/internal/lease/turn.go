package lease

import (
	"context"
	"errors"

	"github.com/gabion-storage/gabion/index"
)

// A Turn is had by the node that sweeps and compacts, until it is released or taken anew. Its
// methods may be called from many goroutines. What writes fails with ErrTurnLost when the turn is
// over, and with ErrLost when the node's lease is lost.
type Turn struct {
	node *Node
	term uint64
}

// Take takes the turn, and waits for nobody: while a node that lives has it the error is
// ErrTurnTaken. A turn that the node itself has is over then.
func (n *Node) Take(ctx context.Context) (*Turn, error) {
	t := &Turn{node: n}
	err := n.Store().Update(ctx, func(tx index.Tx) error {
		fleet, err := index.GetFleet(tx)
		if err != nil {
			return err
		}
		if fleet.Turn != n.id {
			if gone, err := n.revokeIn(tx, fleet.Turn); err != nil {
				return err
			} else if !gone {
				return ErrTurnTaken
			}
		}
		fleet.Turn = n.id
		fleet.Term++
		t.term = fleet.Term
		return index.Put(tx, index.FleetKey(), &fleet)
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// Store is the index as the turn may use it: an Update fails, and commits nothing, when the turn is
// over. Views are as those of the index.
func (t *Turn) Store() index.Store { return turnStore{t.node.Index, t} }

type turnStore struct {
	index.Store
	turn *Turn
}

// Update implements index.Store.
func (s turnStore) Update(ctx context.Context, fn func(index.Tx) error) error {
	return s.turn.update(ctx, func(tx index.Tx, _ *index.Fleet) error { return fn(tx) })
}

// update runs fn in a transaction that looks for the lease and the turn.
func (t *Turn) update(ctx context.Context, fn func(index.Tx, *index.Fleet) error) error {
	return t.node.Store().Update(ctx, func(tx index.Tx) error {
		fleet, err := index.GetFleet(tx)
		if err != nil {
			return err
		}
		if !t.has(&fleet) {
			return ErrTurnLost
		}
		return fn(tx, &fleet)
	})
}

func (t *Turn) has(fleet *index.Fleet) bool {
	return fleet.Turn == t.node.id && fleet.Term == t.term
}

// Advance begins an epoch, in which the volumes are condemned. It is also that of all that was
// discarded before.
func (t *Turn) Advance(ctx context.Context, condemn []uint64) (began Epoch, err error) {
	err = t.update(ctx, func(tx index.Tx, fleet *index.Fleet) error {
		fleet.Epoch++
		began = Epoch(fleet.Epoch)
		if err := index.Put(tx, index.FleetKey(), fleet); err != nil {
			return err
		}
		for _, volume := range condemn {
			row := index.Condemned{Epoch: fleet.Epoch}
			if err := index.Put(tx, index.CondemnedKey(volume), &row); err != nil {
				return err
			}
		}
		return nil
	})
	return began, err
}

// Condemned returns the volumes that are condemned, and in which epochs, or in an Unknown one.
func (t *Turn) Condemned(ctx context.Context) (volumes map[uint64]Epoch, err error) {
	err = t.node.Index.View(ctx, func(r index.Reader) error {
		volumes, err = condemnedIn(r)
		return err
	})
	return volumes, err
}

// Forget says that a condemned volume is removed.
func (t *Turn) Forget(ctx context.Context, volume uint64) error {
	return t.update(ctx, func(tx index.Tx, _ *index.Fleet) error {
		return index.Delete(tx, index.CondemnedKey(volume))
	})
}

// Release gives the turn to whoever takes it. Releasing one that is over is no error.
func (t *Turn) Release(ctx context.Context) error {
	err := t.update(ctx, func(tx index.Tx, fleet *index.Fleet) error {
		fleet.Turn = index.NodeID{}
		return index.Put(tx, index.FleetKey(), fleet)
	})
	if errors.Is(err, ErrTurnLost) {
		return nil
	}
	return err
}
