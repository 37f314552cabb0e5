package lease

import (
	"errors"
	"sync"
	"time"

	"github.com/gabion-storage/gabion/index"
)

// beats are how long those of the nodes stand still, as one node sees it by its own clock. Between
// two looks no more than the time of a renewal counts: when this node could not look, the others
// may not have been able to renew either.
type beats struct {
	mu    sync.Mutex // guards nodes
	nodes map[index.NodeID]beat
}

type beat struct {
	number uint64
	looked time.Time
	still  time.Duration
}

// observe notes a look at all leases.
func (b *beats) observe(all []lease) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	nodes := make(map[index.NodeID]beat, len(all))
	for _, l := range all {
		next := beat{number: l.Beat, looked: now}
		if last, known := b.nodes[l.id]; known && last.number == l.Beat {
			next.still = last.still + min(now.Sub(last.looked), l.Lasts/renewals)
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
