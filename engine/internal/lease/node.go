package lease

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gabion-storage/gabion/index"
)

// renewals is how often a lease is renewed while it lasts.
const renewals = 4

// Config says how a node joins. All of it must be set.
type Config struct {
	Index index.Store   // which all nodes have
	Name  string        // which no other node that lives may have; at most 255 bytes
	Lease time.Duration // how long the others wait for the node when it does not renew

	// Condemned is told of all volumes that are condemned, in every epoch that the node comes to see.
	// Once it has returned, nothing may be found in these. One that is not among them any more is
	// removed: whoever looks at the index from then on finds nothing there.
	Condemned func(volumes []uint64)
	// Alarm is told, once, that the lease is lost, and of the first renewal in a row that fails.
	Alarm func(error)
}

// A Node is the place of an engine in a fleet. Its methods may be called from many goroutines. A
// nil Node is for an engine that has its stores for itself: nobody waits for it, and it is never
// lost; but it has no Store, and no Turn.
type Node struct {
	Config
	id       index.NodeID
	uses     uses
	beats    beats
	cancel   context.CancelFunc // ends the renewals
	done     chan struct{}      // closed when they have ended
	lost     sync.Once          // tells that the lease is
	over     atomic.Bool        // it is, for good
	renewed  atomic.Uint64      // the beat of the last renewal that is known to be committed
	learning chan struct{}      // holds a token while Condemned is told of one epoch
}

// Join gets a new node its lease, and keeps it renewed until Leave. When another node has the name,
// Join waits whether its lease ends, and revokes it then; if it goes on the error is ErrNameTaken.
// Condemned has been told of all condemned volumes when Join returns.
func Join(ctx context.Context, c Config) (*Node, error) {
	n := &Node{Config: c, done: make(chan struct{}), learning: make(chan struct{}, 1)}
	_, _ = rand.Read(n.id[:]) // never fails
	if err := n.enter(ctx); err != nil {
		return nil, err
	}
	ctx, n.cancel = context.WithCancel(context.Background())
	go n.renewing(ctx)
	return n, nil
}

// enter gets the node its lease.
func (n *Node) enter(ctx context.Context) error {
	var before *lease
	for {
		var now news
		var namesake *lease
		err := n.Index.Update(ctx, func(tx index.Tx) (err error) {
			now, namesake, err = n.enterIn(tx)
			return err
		})
		switch {
		case err != nil:
			return err
		case namesake == nil:
			n.learn(now)
			return nil
		case before != nil && *before != *namesake:
			return ErrNameTaken
		}
		before = namesake
		n.beats.observe([]lease{*namesake}, n.id)
		if err := sleep(ctx, namesake.Lasts/renewals); err != nil {
			return err
		}
	}
}

// enterIn writes the node's lease, unless another node has the name, whose lease has not ended.
func (n *Node) enterIn(tx index.Tx) (now news, namesake *lease, err error) {
	all, err := n.leasesIn(tx)
	if err != nil {
		return now, nil, err
	}
	for _, l := range all {
		if l.Name != n.Name {
			continue
		}
		if gone, err := n.revokeIn(tx, l.id); err != nil {
			return now, nil, err
		} else if !gone {
			return now, &l, nil
		}
	}
	if now, err = newsIn(tx, 0); err != nil {
		return now, nil, err
	}
	return now, nil, index.Put(tx, index.NodeKey(n.id), &index.Node{
		Name: n.Name, Oldest: uint64(now.epoch), Lasts: n.Lease,
	})
}

// Leave gives the lease up: nothing is kept for this node any more, so no call may be under way.
// The renewals end in any case. After an error the lease may stay until somebody finds that it has
// ended.
func (n *Node) Leave(ctx context.Context) error {
	if n == nil {
		return nil
	}
	n.cancel()
	select {
	case <-n.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	n.lost.Do(func() {}) // nobody needs to be told
	return n.Index.Update(ctx, func(tx index.Tx) error {
		return index.Delete(tx, index.NodeKey(n.id))
	})
}

// Store is the index as the node may use it: an Update fails with ErrLost, and commits nothing,
// when the lease is not there. Views are as those of the index.
func (n *Node) Store() index.Store { return store{n.Index, n} }

type store struct {
	index.Store
	node *Node
}

// Update implements index.Store.
func (s store) Update(ctx context.Context, fn func(index.Tx) error) error {
	if s.node.over.Load() {
		return ErrLost
	}
	renewed := s.node.renewed.Load()
	return s.node.notice(s.Store.Update(ctx, func(tx index.Tx) error {
		if _, err := s.node.ownIn(tx, renewed); err != nil {
			return err
		}
		return fn(tx)
	}))
}

// Confirm returns nil when the lease is there now. So nothing was taken away from a call that has
// not ended, and what it found missing or damaged is so.
func (n *Node) Confirm(ctx context.Context) error {
	if n == nil {
		return nil
	}
	if n.over.Load() {
		return ErrLost
	}
	renewed := n.renewed.Load()
	r, err := index.Fetch(ctx, n.Index, index.NodeKey(n.id))
	if err == nil {
		_, err = n.ownIn(r, renewed)
	}
	return n.notice(err)
}

// ownIn returns the node's lease, or ErrLost. A lease with a beat before the one that was renewed when
// the transaction began is of an index that has gone back in time: a standby that had not received
// the rest has taken over, or a backup was restored. What the node knows is not of that index.
func (n *Node) ownIn(r index.Reader, renewed uint64) (index.Node, error) {
	own, err := index.Get(r, index.NodeKey(n.id))
	if errors.Is(err, index.ErrNotFound) || err == nil && own.Beat < renewed {
		err = ErrLost
	}
	return own, err
}

// notice tells of a lease that is lost. It is for the outcome of a transaction: a run in vain may
// see no lease.
func (n *Node) notice(err error) error {
	if errors.Is(err, ErrLost) {
		n.over.Store(true)
		n.lost.Do(func() { n.Alarm(ErrLost) })
	}
	return err
}

// sleep waits for a time.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
