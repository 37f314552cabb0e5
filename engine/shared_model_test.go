package engine_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/internal/enginetest"
)

// TestModelShared lives a random history of three nodes that take turns. Each of them must see at
// once what the others have done.
func TestModelShared(t *testing.T) {
	steps, s := enginetest.Steps(t, 2000), seed(t)
	inFleet(t, func(f *fleet) {
		opened := 0
		enginetest.History{
			Rand: rand.New(rand.NewPCG(s, 100)), ChunkSizes: []int{minChunk}, Encrypted: true, Blocks: 50, Nodes: true,
			Open: func(chunkSize int) (engines []*engine.Engine) {
				for len(f.nodes) > 2 {
					f.nodes[0].close()
					f.nodes = f.nodes[1:]
				}
				for len(f.nodes) < 3 {
					opened++
					_, err := f.tryOpen(fmt.Sprint(opened), &engine.Options{ChunkSize: chunkSize, MemoryBudget: 4 * int64(chunkSize)})
					if err != nil {
						f.Fatalf("OpenStores: %v", err)
					}
				}
				for _, n := range f.nodes {
					engines = append(engines, n.Engine)
				}
				return engines
			},
		}.Live(f.T, steps)
	})
}
