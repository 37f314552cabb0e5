package lease

import (
	"math"

	"github.com/gabion-storage/gabion/index"
)

// Unknown is the epoch of a volume whose condemnation is damaged: none that passes. It can be
// condemned anew.
const Unknown Epoch = math.MaxUint64

// A lease is the row of a node.
type lease struct {
	id index.NodeID
	index.Node
}

// leasesIn are the rows of all nodes.
func (n *Node) leasesIn(r index.Reader) (all []lease, err error) {
	for entry, err := range index.ScanAll(r, index.AllNodes()) {
		if len(entry.Key) == 0 {
			return nil, err
		}
		id, keyErr := index.ParseNodeKey(entry.Key)
		if keyErr != nil {
			return nil, keyErr
		}
		l, err := n.leaseOf(id, entry.Record, err)
		if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	return all, nil
}

// leaseOf is a lease as it was read. One whose record is damaged nobody can renew: so it ends like
// others that are not, and is waited for until then.
func (n *Node) leaseOf(id index.NodeID, rec index.Node, err error) (lease, error) {
	if index.IsCorrupt(err) {
		return lease{id, index.Node{Lasts: n.Lease}}, nil
	}
	return lease{id, rec}, err
}

// condemnedIn are the volumes that are condemned, and in which epochs.
func condemnedIn(r index.Reader) (map[uint64]Epoch, error) {
	volumes := map[uint64]Epoch{}
	for entry, err := range index.ScanAll(r, index.AllCondemned()) {
		e := Epoch(entry.Record.Epoch)
		if index.IsCorrupt(err) && len(entry.Key) > 0 {
			e, err = Unknown, nil
		}
		if err != nil {
			return nil, err
		}
		volume, err := index.ParseCondemnedKey(entry.Key)
		if err != nil {
			return nil, err
		}
		volumes[volume] = e
	}
	return volumes, nil
}

// news are what a node learns by a transaction: the epoch and, if it has not seen that, all that is
// condemned.
type news struct {
	epoch     Epoch
	condemned map[uint64]Epoch // nil: it has not been read
}

// newsIn fails with ErrLost when the index has gone back in time: see ownIn.
func newsIn(r index.Reader, seen Epoch) (now news, err error) {
	fleet, err := index.GetFleet(r)
	now.epoch = Epoch(fleet.Epoch)
	switch {
	case err != nil:
		return now, err
	case now.epoch < seen:
		return now, ErrLost
	case now.epoch > seen:
		now.condemned, err = condemnedIn(r)
	}
	return now, err
}
