package engine

import (
	"context"

	"github.com/gabion-storage/gabion/engine/internal/ledger"
	"github.com/gabion-storage/gabion/engine/internal/throttle"
	"github.com/gabion-storage/gabion/index"
)

// usage finds out what lives and what is garbage. It costs a look at each volume.
func (e *Engine) usage(ctx context.Context) (u throttle.Usage, err error) {
	if e.node != nil {
		// How much of the garbage could be given back now is known to no node, so nobody is slowed
		// down for the sake of it.
		return u, nil
	}
	var onDisk int64
	volumes, err := e.blobs.Volumes(ctx)
	if err != nil {
		return u, err
	}
	for _, v := range volumes {
		// Not what is around the frames, and what active volumes set aside.
		if v.Active {
			onDisk += v.Bytes
		} else {
			onDisk += min(v.Bytes, v.DiskBytes)
		}
	}
	// After the volumes: what is pinned or live by now and was stored later makes no garbage.
	var pinned int64
	for _, bytes := range e.pins.BytesIn() {
		pinned += bytes
	}
	t, err := ledger.LookTotals(ctx, e.index)
	if err != nil {
		return u, err
	}
	trash := garbageInTrash(&t, e.opts.ChunkSize)
	u.Live = t.StoredBytes + t.InlineBytes + pinned - trash
	u.Garbage, u.Trash = trash, t.TrashBytes
	if e.opts.ReclaimRate == 0 {
		u.Garbage += max(onDisk-t.StoredBytes-pinned, 0)
	}
	return u, nil
}

// garbageInTrash returns how many bytes will be dead for sure when what is in the trash is swept. It
// has sizes as they were before deduplication. So many references as there are more than chunks may
// all be in the trash: dropping them gives nothing, and who writes must not be slowed down for that.
// What counts as stored may be less than it was before compression.
func garbageInTrash(t *index.Totals, chunkSize int) int64 {
	trash := max(float64(t.TrashBytes), 0)
	if again := float64(t.References) - float64(t.Chunks); again > 0 {
		// A copy of an object has no references of its own, and an open upload no logical bytes.
		size := (float64(saturated(t.LogicalBytes)) + trash) / float64(t.References)
		trash -= again * min(size, float64(chunkSize))
	}
	stored := max(t.StoredBytes+t.InlineBytes, 0)
	if trash >= float64(stored) {
		return stored
	}
	return max(int64(trash), 0)
}
