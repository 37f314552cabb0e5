package lease

import (
	"context"
	"slices"
	"time"

	"github.com/gabion-storage/gabion/index"
)

// members are the nodes of a fleet, and what they have together.
type members struct {
	fleet  index.Fleet
	leases []lease
}

// have says whether a node has its lease.
func (m *members) have(id index.NodeID) bool {
	return slices.ContainsFunc(m.leases, func(l lease) bool { return l.id == id })
}

// look reads the members, and notes how their beats stand.
func (n *Node) look(ctx context.Context) (m members, err error) {
	err = n.Index.View(ctx, func(r index.Reader) error {
		if m.fleet, err = index.GetFleet(r); err != nil {
			return err
		}
		m.leases, err = n.leasesIn(r)
		return err
	})
	if err == nil {
		n.beats.observe(m.leases, n.id)
	}
	return m, err
}

// Info is what a node knows of a node.
type Info struct {
	Name   string
	Oldest Epoch         // the least that its calls and open Objects began in
	Still  time.Duration // how long its beat stands still; from its Config.Lease on it may be revoked
	Self   bool          // it is the node that was asked
	Turn   bool          // it has the turn
}

// Nodes lists the nodes that have a lease. A nil Node has none.
func (n *Node) Nodes(ctx context.Context) ([]Info, error) {
	if n == nil {
		return nil, nil
	}
	m, err := n.look(ctx)
	if err != nil {
		return nil, err
	}
	var nodes []Info
	for _, l := range m.leases {
		nodes = append(nodes, Info{
			Name: l.Name, Oldest: Epoch(l.Oldest), Still: n.beats.still(l),
			Self: l.id == n.id, Turn: l.id == m.fleet.Turn,
		})
	}
	return nodes, nil
}
