package engine

import (
	"errors"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/index"
)

// TestDamagedVolumeIsNoGarbage has a large volume that cannot be read beside one in which all
// lives: that is no reason to take what there is out of active ones, since it gives nothing back.
func TestDamagedVolumeIsNoGarbage(t *testing.T) {
	const size = 1 << 30
	lives := volumeState{
		VolumeInfo: blob.VolumeInfo{ID: 1, Bytes: size, Size: size, DiskBytes: size},
		live:       index.Volume{LiveBytes: size},
	}
	other := volumeState{VolumeInfo: blob.VolumeInfo{ID: 2, Size: size, DiskBytes: size}}
	c := &compaction{share: backgroundDeadShare}
	if !c.policyFor([]volumeState{lives, other}).seal {
		t.Error("a volume in which nothing lives is no garbage")
	}
	other.Damage = errors.New("it is damaged")
	if c.policyFor([]volumeState{lives, other}).seal {
		t.Error("a volume that cannot be read is garbage")
	}
}

// TestTrimmedVolumeMustPay has ten volumes that holes have given nothing of, though a third of each is
// dead. When a little more dies in each, they are left until that comes to enough.
func TestTrimmedVolumeMustPay(t *testing.T) {
	const size, volumes = 1 << 20, 10
	e := &Engine{damage: &damage{}, opts: Options{VolumeSize: size}}
	c := &compaction{engine: e, share: backgroundDeadShare}
	states := func(live int64) (states []volumeState) {
		for id := range uint64(volumes) {
			states = append(states, volumeState{
				VolumeInfo: blob.VolumeInfo{ID: id + 1, Bytes: size, Size: size, DiskBytes: size},
				live:       index.Volume{LiveBytes: live},
			})
			states[id].live.LiveChunks = live >> 10
		}
		return states
	}
	for _, test := range []struct {
		live   int64 // of a hundred
		chosen int
	}{{67, volumes}, {67, 0}, {66, 0}, {65, 0}, {63, volumes}, {62, 0}, {49, volumes}, {49, volumes}} {
		chosen, plan := c.choose(states(size * test.live / 100))
		if len(chosen) != test.chosen || plan != (test.chosen > 0) {
			t.Errorf("with %d %% alive %d are chosen, %t, want %d", test.live, len(chosen), plan, test.chosen)
		}
		for _, v := range chosen {
			e.noteTrim(v.ID, trimNote{live: v.live})
		}
	}
}
