package engine_test

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/indextest"
	"github.com/gabion-storage/gabion/internal/enginetest"
)

// TestModel lives random histories under several sets of options, side by side with a model of
// plain maps, and compares. GABION_SEED replays them, GABION_STEPS makes them longer.
func TestModel(t *testing.T) {
	steps, s := enginetest.Steps(t, 500), seed(t)
	for i, set := range []struct {
		name       string
		chunkSizes []int // taken in turn, a new one at every reopening
		volumeSize int64
		encrypted  bool
		blocks     int // bodies are made of so few different blocks; 0 means of fresh bytes
		scopes     bool
		crashes    bool
		records    bool // are authenticated
		memory     bool // the two stores in memory instead of those in a directory
		rehearsed  bool // the first run of every function of the index is in vain
	}{
		{name: "small chunks in small volumes", chunkSizes: []int{4 << 10}, volumeSize: 1 << 20},
		{name: "chunks of 64 KiB", chunkSizes: []int{64 << 10}},
		{name: "encrypted", chunkSizes: []int{16 << 10}, encrypted: true, records: true},
		{name: "duplicates", chunkSizes: []int{4 << 10}, volumeSize: 2 << 20, blocks: 5},
		{name: "chunk size changes", chunkSizes: []int{4 << 10, 64 << 10, 5000}, encrypted: true, blocks: 20},
		{name: "scopes of deduplication", chunkSizes: []int{4 << 10}, volumeSize: 1 << 20, encrypted: true, blocks: 5, scopes: true},
		{name: "stores in memory", chunkSizes: []int{4 << 10}, volumeSize: 1 << 20, encrypted: true, blocks: 50, memory: true},
		{name: "transactions run twice", chunkSizes: []int{4 << 10}, volumeSize: 1 << 20, blocks: 50, memory: true, rehearsed: true},
		{name: "power cuts", chunkSizes: []int{4 << 10}, volumeSize: 1 << 20, blocks: 50, crashes: true, records: true},
	} {
		t.Run(set.name, func(t *testing.T) {
			ring := keys(t)
			options := engine.Options{Volumes: volumeKinds[i%len(volumeKinds)], VolumeSize: set.volumeSize, Keys: ring,
				AuthenticateRecords: set.records, Events: &engine.Events{Alarm: func(err error) {
					var exposed *engine.ExposedError // which the directories of tests are
					if !errors.Is(err, errPower) && !errors.As(err, &exposed) {
						t.Errorf("Alarm: %v", err)
					}
				}}}
			h := enginetest.History{
				Rand: rand.New(rand.NewPCG(s, uint64(i))), ChunkSizes: set.chunkSizes, Encrypted: set.encrypted, Blocks: set.blocks,
			}
			if set.scopes {
				h.Scopes = dedupScopes
			}
			dir := t.TempDir()
			openNext := func(o *engine.Options) *engine.Engine { return open(t, dir, o) }
			if set.memory {
				var idx index.Store = lastingIndex{index.NewMemory()}
				if set.rehearsed {
					idx = indextest.Rehearsed(idx)
				}
				blobs := lastingBlobs{blob.NewMemory(set.volumeSize)}
				openNext = func(o *engine.Options) *engine.Engine { return openStores(t, idx, blobs, o) }
			}
			if set.crashes {
				stores := newFragileStores(set.volumeSize, &engine.Options{Keys: ring, AuthenticateRecords: set.records})
				openNext = func(o *engine.Options) *engine.Engine {
					stores.power.restore()
					return stores.open(t, o)
				}
				h.Close = func(e *engine.Engine) error {
					stores.power.cut()
					return e.Close()
				}
			}
			h.Open = func(chunkSize int) []*engine.Engine {
				o := options
				o.ChunkSize, o.MemoryBudget = chunkSize, 4*int64(chunkSize)
				return []*engine.Engine{openNext(&o)}
			}
			h.Live(t, steps)
		})
	}
}
