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

// TestSparedIsNotForgotten has a volume that was trimmed around what unfinished parts counted on, in which
// a little has died, or has come to life, since. What was spared is given back when they have ended, and
// until then somebody looks again.
func TestSparedIsNotForgotten(t *testing.T) {
	const size = 1 << 20
	for _, since := range []int64{-1 << 10, 0, 1 << 10} {
		e := &Engine{damage: &damage{}, opts: Options{VolumeSize: size}}
		c := &compaction{engine: e, share: backgroundDeadShare}
		v := volumeState{
			VolumeInfo: blob.VolumeInfo{ID: 1, Bytes: size, Size: size, DiskBytes: size},
			live:       index.Volume{LiveBytes: size * 6 / 10, LiveChunks: 600}, pins: 1,
		}
		e.noteTrim(v.ID, trimNote{live: v.live, pinned: true})
		v.live.LiveBytes += since
		if chosen, _ := c.choose([]volumeState{v}); len(chosen) > 0 || !c.left {
			t.Errorf("%d bytes more live: %d are chosen while it is in use; that some were left is %t", since, len(chosen), c.left)
		}
		c.left, v.pins = false, 0
		if chosen, _ := c.choose([]volumeState{v}); len(chosen) != 1 || c.left {
			t.Errorf("%d bytes more live: %d are chosen when nobody uses it, want one", since, len(chosen))
		}
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
