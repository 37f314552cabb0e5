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
