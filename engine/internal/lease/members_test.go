package lease_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/engine/internal/lease"
)

// TestNodes: a node tells who there is, as it sees them.
func TestNodes(t *testing.T) {
	inFleet(t, func(t *fleet) {
		a, b, c := t.join("a"), t.join("b"), t.join("c")
		turn := t.take(b)
		c.Begin()
		t.want("leaving", t.join("d").Leave(t.Context()), nil)
		e := t.advance(turn)
		time.Sleep(lasts)
		b.line.cut.Store(true)
		time.Sleep(lasts)
		nodes, err := a.Nodes(t.Context())
		t.want("Nodes", err, nil)
		slices.SortFunc(nodes, func(a, b lease.Info) int { return strings.Compare(a.Name, b.Name) })
		for i, n := range nodes {
			if n.Name == "b" != (n.Still >= lasts-renews) {
				t.Errorf("the beat of %s stands still for %v", n.Name, n.Still)
			}
			nodes[i].Still = 0
		}
		if want := []lease.Info{
			{Name: "a", Oldest: e, Self: true}, {Name: "b", Oldest: e, Turn: true}, {Name: "c"},
		}; !slices.Equal(nodes, want) {
			t.Errorf("the nodes are %+v, want %+v", nodes, want)
		}
	})
}

// TestNoNode: an engine that has its stores for itself keeps nothing.
func TestNoNode(t *testing.T) {
	var n *lease.Node
	e := n.Begin()
	n.Keep(e)
	n.End(e)
	n.End(e)
	nodes, err := n.Nodes(t.Context())
	if err != nil || len(nodes) > 0 {
		t.Errorf("Nodes: %v, %v", nodes, err)
	}
	if err := n.Confirm(t.Context()); err != nil {
		t.Errorf("Confirm: %v", err)
	}
	if err := n.Leave(t.Context()); err != nil {
		t.Errorf("Leave: %v", err)
	}
}
