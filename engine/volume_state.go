package engine

import (
	"context"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine/internal/ledger"
	"github.com/gabion-storage/gabion/index"
)

// leastDead is how many bytes of a volume must be dead for anything to be worth it.
const leastDead = 64 << 10

// A volumeState is what is known of one volume.
type volumeState struct {
	blob.VolumeInfo
	live   index.Volume
	lost   error // why live is not known: whatever the volume is, it is left alone
	pinned int64 // bytes of unfinished parts, which the index does not count yet
	pins   int   // chunks that unfinished parts count on, those included that the index knows
}

// room is what the live part of a volume takes on disk, with its share of what is around the
// frames.
func (v *volumeState) room() int64 {
	if v.Bytes == 0 {
		return 0
	}
	return int64(float64(v.Size) * min(float64(v.live.LiveBytes+v.pinned)/float64(v.Bytes), 1))
}

// dead is what the volume occupies beyond that. Of an active one it is what its dead frames have:
// it gives back what it set aside when it is sealed.
func (v *volumeState) dead() int64 {
	if v.Active {
		return max(v.Bytes-v.live.LiveBytes-v.pinned, 0)
	}
	return max(v.DiskBytes-v.room(), 0)
}

// deadFrames is what frames occupy that belong to no live chunk.
func (v *volumeState) deadFrames() int64 {
	return min(v.dead(), max(v.Bytes-v.live.LiveBytes-v.pinned, 0))
}

// worth reports whether enough of the volume is dead to punch holes.
func (v *volumeState) worth(share float64) bool {
	return v.dead() >= leastDead && float64(v.dead()) >= share*float64(v.DiskBytes)
}

// volumeStates looks at all volumes. It costs as much as there are volumes, not chunks.
func (e *Engine) volumeStates(ctx context.Context) ([]volumeState, error) {
	// In this order: what is pinned or live is in a volume already.
	infos, err := e.blobs.Volumes(ctx)
	if err != nil {
		return nil, err
	}
	pinned, pins := e.pins.BytesIn(), e.pins.CountIn()
	live, lost, err := ledger.Volumes(ctx, e.index)
	if err != nil {
		return nil, err
	}
	states := make([]volumeState, len(infos))
	for i, info := range infos {
		states[i] = volumeState{
			VolumeInfo: info, live: live[info.ID], lost: lost[info.ID],
			pinned: pinned[info.ID], pins: pins[info.ID],
		}
	}
	return states, nil
}
