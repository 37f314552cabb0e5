package engine_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestModelShared lives a random history of three nodes that take turns. Each of them must see at
// once what the others have done.
func TestModelShared(t *testing.T) {
	steps, s := modelSteps(t, 2000), seed(t)
	inFleet(t, func(f *fleet) {
		h := newHistory(f.T, rand.New(rand.NewPCG(s, 100)))
		h.chunkSizes, h.encrypted, h.blocks, h.fleet = []int{4 << 10}, true, 50, f
		h.live(steps)
	})
}

// switchNode has any of the nodes take the next step.
func (h *history) switchNode() {
	if h.fleet != nil {
		h.e = h.fleet.nodes[h.rng.IntN(len(h.fleet.nodes))].Engine
	}
}

// reopenNode opens the nodes, or closes one and opens it again.
func (h *history) reopenNode() {
	f := h.fleet
	h.did("close a node and open another")
	h.closeReaders()
	for len(f.nodes) > 2 {
		f.nodes[0].close()
		f.nodes = f.nodes[1:]
	}
	for len(f.nodes) < 3 {
		options := h.options
		n, err := f.tryOpen(fmt.Sprint(h.opens, len(f.nodes)), &options)
		if err != nil {
			h.fail("OpenStores: %v", err)
		}
		h.e = n.Engine
	}
}
