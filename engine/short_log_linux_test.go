package engine_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/gabion-storage/gabion/engine"
)

// TestReclaimShortLog cuts the logs of the volumes. Reclaim may say so once of each. When more is deleted, what
// holes give back comes back around what is left, although some of what should live there is lost.
func TestReclaimShortLog(t *testing.T) { forVolumeKinds(t, testReclaimShortLog) }

func testReclaimShortLog(t *testing.T, k engine.VolumeKind) {
	const objects = 24
	const size = 512 << 10
	dir := t.TempDir()
	o := &engine.Options{Volumes: k, ChunkSize: 128 << 10}
	body := func(i int) []byte { return random(uint64(i), size) }
	e := open(t, dir, o)
	for i := range objects {
		mustObject(t, e, "reclaim", fmt.Sprint(i), "", body(i))
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	for _, log := range volumeLogs(t, dir) { // the last eighth of each
		info, err := os.Stat(log)
		if err == nil {
			err = os.Truncate(log, info.Size()/8*7)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	e, err := engine.Open(t.Context(), dir, o) // not by the helper, which wants a sound store
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	engine.StopSweeper(e)
	// Of each sort some are lost.
	gone := func(from, step int) {
		for i := from; i < objects; i += step {
			mustDelete(t, e, "reclaim", fmt.Sprint(i))
		}
	}
	reclaim := func() {
		for n := range 1 + len(volumeLogs(t, dir)) { // each volume may say so once
			res, err := e.Reclaim(context.Background(), nil)
			if err != nil {
				t.Logf("Reclaim %d: %+v, %v", n, res, err)
			}
		}
		if res, err := e.Reclaim(context.Background(), nil); err != nil {
			t.Errorf("Reclaim says again: %+v, %v", res, err)
		}
	}
	gone(0, 4)
	reclaim()
	before := diskUsage(t, filepath.Join(dir, "volumes"))
	gone(1, 4)
	reclaim()
	after := diskUsage(t, filepath.Join(dir, "volumes"))
	if before-after < objects/8*size {
		t.Errorf("the volumes had %d bytes and have %d, although a quarter was deleted", before, after)
	}
	checkObjects(t, e, map[string][]byte{"2": body(2), "3": body(3)})
}
