package engine

import (
	"context"

	"github.com/gabion-storage/gabion/engine/internal/ledger"
	"github.com/gabion-storage/gabion/engine/internal/throttle"
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
	// What is in the trash counts as stored, though maybe less than it was before compression.
	stored := t.StoredBytes + t.InlineBytes
	trash := max(min(t.TrashBytes, stored), 0)
	u.Live = stored + pinned - trash
	u.Garbage = trash
	if e.opts.ReclaimRate == 0 {
		u.Garbage += max(onDisk-t.StoredBytes-pinned, 0)
	}
	return u, nil
}
