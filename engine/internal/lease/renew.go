package lease

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/gabion-storage/gabion/index"
)

// renewing renews the lease, and looks at the others, until ctx ends or the lease is lost. What
// fails is tried again.
func (n *Node) renewing(ctx context.Context) {
	defer close(n.done)
	ticker := time.NewTicker(n.Lease / renewals)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		err := n.renew(ctx)
		if err == nil {
			err = n.lookSoon(ctx)
		}
		if errors.Is(err, ErrLost) || ctx.Err() != nil {
			return
		}
		if err != nil && !failing {
			n.Alarm(err)
		}
		failing = err != nil
	}
}

// lookSoon looks at the others, but no longer than until the next renewal: one that gets no answer
// must not cost this node its lease.
func (n *Node) lookSoon(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, n.Lease/renewals)
	defer cancel()
	_, err := n.look(ctx)
	return err
}

// renew renews the lease, and takes in what is new. What the node has seen by that it tells at
// once, and not only the next time.
func (n *Node) renew(ctx context.Context) error {
	for {
		oldest := n.uses.oldest()
		if err := n.renewOnce(ctx, oldest); err != nil {
			return err
		}
		if n.uses.oldest() == oldest {
			return nil
		}
	}
}

// renewOnce writes an oldest epoch that was true before, and is too old at worst.
func (n *Node) renewOnce(ctx context.Context, oldest Epoch) error {
	if n.over.Load() {
		return ErrLost
	}
	seen, renewed := n.uses.last(), n.renewed.Load()
	var now news
	var beat uint64
	err := n.Index.Update(ctx, func(tx index.Tx) error {
		own, err := n.ownIn(tx, renewed)
		if err != nil {
			return err
		}
		if now, err = newsIn(tx, seen); err != nil {
			return err
		}
		own.Beat++
		beat = own.Beat
		own.Oldest = uint64(oldest)
		return index.Put(tx, index.NodeKey(n.id), &own)
	})
	if err == nil {
		n.hasRenewed(beat)
		n.learn(now)
	}
	return n.notice(err)
}

// hasRenewed notes a renewal that is committed. One for a Wait may be told of after a later one.
func (n *Node) hasRenewed(beat uint64) {
	for last := n.renewed.Load(); beat > last; last = n.renewed.Load() {
		if n.renewed.CompareAndSwap(last, beat) {
			return
		}
	}
}

// learn takes in what a transaction that is committed has read. What is condemned is so before
// anybody begins in the new epoch. A node renews for a Wait, too, so what was read first may come last: it
// does not know what was condemned since.
func (n *Node) learn(now news) {
	n.learning <- struct{}{}
	defer func() { <-n.learning }()
	if now.condemned != nil && now.epoch > n.uses.last() {
		n.Condemned(slices.Collect(maps.Keys(now.condemned)))
	}
	n.uses.see(now.epoch)
}
