package engine_test

import (
	"slices"
	"testing"

	"github.com/gabion-storage/gabion/engine"
)

// TestGarbage counts the bytes that a part of 32 chunks leaves to the collector, volumes that are made
// and sealed meanwhile included. In log volumes that does not depend on how large chunks, parts and
// volumes are, so they have an eighth of their sizes by default.
func TestGarbage(t *testing.T) {
	if underRaceDetector() {
		t.Skip("the race detector has memory of its own")
	}
	const least = 116 << 10 // 90 to 109 KB are measured, most of it Badger's
	type testCase struct {
		garbageCase
		volumes engine.VolumeKind
		scale   int // by which all is smaller than by default
		most    uint64
	}
	// Badger has a buffer of each record, which may grow in steps.
	cases := []testCase{{garbageCases[0], engine.VolumesBadger, 1, garbageChunks * engine.DefaultChunkSize * 5 / 4}}
	for _, c := range garbageCases {
		cases = append(cases, testCase{c, engine.VolumesLog, 8, least})
	}
	for _, c := range cases {
		t.Run(c.String()+"/"+string(c.volumes), func(t *testing.T) {
			e := openTemp(t, &engine.Options{
				Keys: keys(t), Volumes: c.volumes, ChunkSize: engine.DefaultChunkSize / c.scale, VolumeSize: engine.DefaultVolumeSize / int64(c.scale),
			})
			next := c.uploads(t, e, garbageChunks*engine.DefaultChunkSize/c.scale)
			for range 8 {
				next()
			}
			// The collector empties the pools of others now and then, and they are filled anew; and
			// on a busy machine fewer parts share a commit. What all leave is in the least, so one of
			// a few must be low enough.
			const parts, most = 6, 5
			var windows []uint64
			for len(windows) == 0 || len(windows) < most && slices.Min(windows) >= c.most {
				before := allocated()
				for range parts {
					next()
				}
				windows = append(windows, (allocated()-before)/parts)
			}
			got := slices.Min(windows)
			t.Logf("%d bytes a part, of %d", got, windows)
			if got >= c.most {
				t.Errorf("a part leaves %d bytes, must be less than %d", got, c.most)
			}
		})
	}
}
