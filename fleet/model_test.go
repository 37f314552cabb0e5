package fleet_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/fleet"
	"github.com/gabion-storage/gabion/fleet/internal/postgres"
	"github.com/gabion-storage/gabion/fleet/internal/s3server"
	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/indextest"
	"github.com/gabion-storage/gabion/internal/enginetest"
)

// TestModel lives the random histories of the engine's own model over PostgreSQL and an object store:
// one of a node by itself, and one of three that take turns, of which one is closed now and then
// and another opened. GABION_SEED replays them, GABION_STEPS makes them longer.
func TestModel(t *testing.T) {
	database, objects := postgres.Start(t), s3server.Start(t)
	s3server.Setenv(t)
	steps, seed := enginetest.Steps(t, 150), indextest.Seed(t)
	ring, err := crypto.CreateKeyring(filepath.Join(t.TempDir(), "keyring"))
	if err != nil {
		t.Fatal(err)
	}
	for i, history := range []struct {
		name  string
		nodes int
		enginetest.History
	}{
		{"one node", 1, enginetest.History{
			ChunkSizes: []int{4 << 10, 64 << 10, 5000}, Encrypted: true, Blocks: 20,
			Scopes: []engine.DedupScope{engine.DedupStore, engine.DedupBucket, engine.DedupNone},
		}},
		{"three nodes", 3, enginetest.History{
			ChunkSizes: []int{4 << 10}, Encrypted: true, Blocks: 50,
		}},
	} {
		t.Run(history.name, func(t *testing.T) {
			// Volumes are small, so that reclaiming has something to do.
			place := fmt.Sprint("model", i)
			c := fleet.Config{
				Index:  postgres.URL(database.Dir()) + "&schema=" + place,
				Chunks: s3server.URL(objects.Addr, place) + "&volume-size=1048576",
			}
			var nodes []*engine.Engine
			opened := 0
			open := func(chunkSize int) {
				opened++
				c.Node = fmt.Sprint("node-", opened)
				e, err := fleet.Open(t.Context(), c, &engine.Options{
					ChunkSize: chunkSize, MemoryBudget: 4 * int64(chunkSize), Keys: ring, Lease: 3 * time.Second,
					Events: &engine.Events{Alarm: func(err error) {
						// A renewal that comes too late on a busy machine is made up for.
						if !errors.Is(err, index.ErrUnavailable) {
							t.Errorf("Alarm: %v", err)
						}
					}},
				})
				if err != nil {
					t.Fatal(err)
				}
				nodes = append(nodes, e)
			}
			closeFirst := func() {
				e := nodes[0]
				nodes = nodes[1:]
				enginetest.CheckStore(t, e)
				if err := e.Close(); err != nil {
					t.Error(err)
				}
			}
			defer func() {
				for len(nodes) > 0 {
					closeFirst()
				}
			}()
			h := history.History
			h.Rand, h.Nodes = rand.New(rand.NewPCG(seed, uint64(i))), true
			h.Open = func(chunkSize int) []*engine.Engine {
				if len(nodes) == history.nodes {
					closeFirst()
				}
				for len(nodes) < history.nodes {
					open(chunkSize)
				}
				return nodes
			}
			h.Live(t, steps)
		})
	}
}
