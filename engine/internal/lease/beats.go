package lease

import (
	"errors"
	"sync"
	"time"

	"github.com/gabion-storage/gabion/index"
)

// beats are how long those of the nodes stand still, as one node sees it by its own clock. Time counts
// only while this node itself renews: when its writes do not get through, those of the others may not
// either. And between two of its renewals no more counts than the time of one: when this node could
// not look, the others may not have been able to renew.
type beats struct {
	mu    sync.Mutex // guards the fields below
	nodes map[index.NodeID]beat
	own   uint64 // this node's beat when time was counted last
}

type beat struct {
	number  uint64
	counted time.Time // up to when still is
	still   time.Duration
}

// observe notes a look at all leases, by the node with this id. One that has no lease is about to join:
// it looks by writing.
func (b *beats) observe(all []lease, id index.NodeID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	renewed := true
	for _, l := range all {
		if l.id == id {
			renewed = l.Beat > b.own
			b.own = max(b.own, l.Beat)
		}
	}
	now := time.Now()
	nodes := make(map[index.NodeID]beat, len(all))
	for _, l := range all {
		next := beat{number: l.Beat, counted: now}
		if last, known := b.nodes[l.id]; known && last.number == l.Beat {
			next = last
			if renewed {
				next.still += min(now.Sub(last.counted), l.Lasts/renewals)
				next.counted = now
			}
		}
		nodes[l.id] = next
	}
	b.nodes = nodes
}

// still says for how long a lease was seen as it is.
func (b *beats) still(l lease) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if last, known := b.nodes[l.id]; known && last.number == l.Beat {
		return last.still
	}
	return 0
}

// ended says whether a lease may be revoked.
func (b *beats) ended(l lease) bool { return b.still(l) >= l.Lasts }

// revokeIn revokes the lease of a node if it has ended, and says whether it is gone.
func (n *Node) revokeIn(tx index.Tx, id index.NodeID) (gone bool, err error) {
	rec, err := index.Get(tx, index.NodeKey(id))
	l, err := n.leaseOf(id, rec, err)
	switch {
	case errors.Is(err, index.ErrNotFound):
		return true, nil
	case err != nil:
		return false, err
	case !n.beats.ended(l):
		return false, nil
	}
	return true, index.Delete(tx, index.NodeKey(id))
}
