package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gabion-storage/gabion/engine/internal/lease"
	"github.com/gabion-storage/gabion/engine/internal/ledger"
	"github.com/gabion-storage/gabion/index"
)

// Several engines may have the same two stores open, each as a node with a lease: see package lease
// for the rules. Here is how an engine becomes one of them and stops to be, and what it makes of a
// lease that is lost. A call begins and ends in an epoch in call.go, and an open Object in
// source.go; space is given back by sweeper.go.

// turnPolls is how often in a lease a call looks whether the turn is free.
const turnPolls = 8

// join makes the engine a node, if it is to be one. It makes sure that there are none otherwise.
func (e *Engine) join(ctx context.Context) error {
	if e.opts.Node == "" {
		return e.checkAlone(ctx)
	}
	if err := e.checkNodeKeys(ctx); err != nil {
		return err
	}
	node, err := lease.Join(ctx, lease.Config{
		Index: e.index, Name: e.opts.Node, Lease: e.opts.Lease,
		Condemned: func(volumes []uint64) {
			for _, v := range volumes {
				e.pins.CondemnForGood(v)
			}
			e.pins.RemovedBut(volumes)
		},
		Alarm: e.leaseAlarm,
	})
	if errors.Is(err, lease.ErrNameTaken) {
		err = ErrInUse.saying("Another engine is open as node %q.", e.opts.Node).with(err)
	}
	if err != nil {
		return err
	}
	e.node, e.index = node, node.Store()
	return nil
}

// checkAlone fails when there are nodes, of which one at least may be open. A directory has none.
func (e *Engine) checkAlone(ctx context.Context) error {
	if e.dir != nil {
		return nil
	}
	return e.index.View(ctx, func(r index.Reader) error {
		for node, err := range index.Scan(r, index.AllNodes()) {
			if err == nil {
				err = ErrInUse.saying(
					"The stores are in use by node %q: Options.Node must be set.", node.Record.Name,
				)
			}
			return err
		}
		return nil
	})
}

// leave has no other node wait for this one any more.
func (e *Engine) leave() error {
	ctx, cancel := context.WithTimeout(context.Background(), e.opts.Lease)
	defer cancel()
	return e.node.Leave(ctx)
}

func (e *Engine) newTrash() *ledger.Trash {
	if e.node != nil {
		return ledger.NewSharedTrash(e.index, e.now)
	}
	return ledger.NewTrash(e.index, e.now, func() { e.worker.rouse() })
}

// confirm returns what a call of this node is to fail with. What it has found missing or damaged is
// so only while it has its lease: else it may have been given back.
func (e *Engine) confirm(ctx context.Context, err error) error {
	if err == nil || e.node == nil || !errors.Is(asError(ctx, err), ErrInternal) {
		return err
	}
	if lost := e.node.Confirm(ctx); lost != nil {
		return fmt.Errorf("%w; a call has failed: %v", lost, err) // which is not what it seems
	}
	return err
}

// leaseAlarm reports that the lease is lost, or why it could not be renewed.
func (e *Engine) leaseAlarm(err error) {
	if errors.Is(err, lease.ErrLost) {
		err = ErrLeaseLost.with(err)
	} else {
		err = fmt.Errorf("renewing the lease of node %q: %w", e.opts.Node, err)
	}
	e.opts.alarm(err)
}

// alarm reports an error that has no caller, but for what is reported once: a lost lease, and that the
// index takes no updates any more.
func (e *Engine) alarm(err error) {
	if !e.alarmStopped(err) && !errors.Is(err, lease.ErrLost) {
		e.opts.alarm(err)
	}
}

// alarmStopped reports, once, that the index takes no updates any more, and whether err says so. Callers
// have it as one error among others, with which a server goes on.
func (e *Engine) alarmStopped(err error) bool {
	stopped, ok := errors.AsType[*index.CommitError](err)
	if ok {
		e.stopped.Do(func() { e.opts.alarm(stopped) })
	}
	return ok
}

// waitForTurn takes the turn that the nodes have among them. It waits while another has it. An
// engine that is alone has none, and needs none.
func (e *Engine) waitForTurn(ctx context.Context) (*lease.Turn, error) {
	if e.node == nil {
		return nil, nil
	}
	poll := time.NewTicker(e.opts.Lease / turnPolls)
	defer poll.Stop()
	for {
		turn, err := e.node.Take(ctx)
		if !errors.Is(err, lease.ErrTurnTaken) {
			return turn, err
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// release lets the next node have the turn, if there is one.
func release(ctx context.Context, turn *lease.Turn, err *error) {
	if turn != nil {
		*err = errors.Join(*err, turn.Release(context.WithoutCancel(ctx)))
	}
}

// NodeStats describes one of several engines on one store, as this one sees it.
type NodeStats struct {
	Name   string        // its Options.Node
	Oldest uint64        // the epoch of its oldest call or open Object: what was given up later stays
	Still  time.Duration // since it was last heard of; from Options.Lease on it may be given up
	Self   bool          // it is this engine
	Turn   bool          // it sweeps, compacts or checks now
}

// nodeStats lists the nodes; an engine that is alone is none.
func (e *Engine) nodeStats(ctx context.Context) (stats []NodeStats, err error) {
	nodes, err := e.node.Nodes(ctx)
	for _, n := range nodes {
		stats = append(stats, NodeStats{n.Name, uint64(n.Oldest), n.Still, n.Self, n.Turn})
	}
	return stats, err
}
