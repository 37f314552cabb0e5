package engine_test

import (
	"fmt"
	"testing"

	"github.com/gabion-storage/gabion/engine"
)

// TestReclaimHolesInActive deletes every third object of a new store, since two volumes may take
// turns, and reclaims. The volumes take writes until then; holes give back all that is dead in
// them, so nothing that lives is copied.
func TestReclaimHolesInActive(t *testing.T) { forVolumeKinds(t, testReclaimHolesInActive) }

func testReclaimHolesInActive(t *testing.T, k engine.VolumeKind) {
	var told []engine.VolumeReclaimed
	e := open(t, t.TempDir(), &engine.Options{
		Volumes: k, ChunkSize: 128 << 10,
		Events: &engine.Events{VolumeReclaimed: func(v engine.VolumeReclaimed) {
			told = append(told, v)
		}},
	})
	engine.StopSweeper(e)
	const objects = 24
	for i := range objects {
		mustObject(t, e, "reclaim", fmt.Sprint(i), "", random(uint64(i), 512<<10))
	}
	for i := 0; i < objects; i += 3 {
		mustDelete(t, e, "reclaim", fmt.Sprint(i))
	}
	res, err := e.Reclaim(t.Context(), nil)
	if err != nil || res.Trimmed == 0 || res.DiskBytes < objects/3*512<<10*9/10 {
		t.Errorf("Reclaim: %+v, %v", res, err)
	}
	for _, v := range told {
		if v.Moved > 0 {
			t.Errorf("what lives was copied although holes give back what is dead: %+v", v)
		}
	}
}
