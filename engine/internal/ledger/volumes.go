package ledger

import (
	"context"
	"errors"

	"github.com/gabion-storage/gabion/index"
)

// Volumes returns what lives in each volume, and why that is not known of those whose accounts are
// damaged.
func Volumes(
	ctx context.Context, idx index.Store,
) (live map[uint64]index.Volume, lost map[uint64]error, err error) {
	live, lost = make(map[uint64]index.Volume), make(map[uint64]error)
	err = idx.View(ctx, func(r index.Reader) error {
		for entry, damage := range index.ScanAll(r, index.Volumes()) {
			if damage != nil && (len(entry.Key) == 0 || !index.IsCorrupt(damage)) {
				return damage
			}
			id, err := index.ParseVolumeKey(entry.Key)
			if err != nil {
				return err
			}
			if live[id] = entry.Record; damage != nil {
				lost[id] = damage
			}
		}
		return nil
	})
	return live, lost, err
}

// LiveIn returns what lives in one volume.
func LiveIn(
	ctx context.Context, idx index.Store, volume uint64,
) (live index.Volume, err error) {
	r, err := index.Fetch(ctx, idx, index.VolumeKey(volume))
	if err != nil {
		return live, err
	}
	return LiveAt(r, volume)
}

// LiveAt is LiveIn in a snapshot.
func LiveAt(r index.Reader, volume uint64) (index.Volume, error) {
	live, err := index.Get(r, index.VolumeKey(volume))
	if errors.Is(err, index.ErrNotFound) {
		return index.Volume{}, nil
	}
	return live, err
}

// LiveVolumes lists the volumes in which anything lives, in ascending order.
func LiveVolumes(ctx context.Context, idx index.Store) (ids []uint64, err error) {
	err = idx.View(ctx, func(r index.Reader) error {
		for entry, err := range index.ScanAll(r, index.Volumes()) {
			// The key is all it takes, should the record be damaged.
			if len(entry.Key) == 0 {
				return err
			}
			id, err := index.ParseVolumeKey(entry.Key)
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return nil
	})
	return ids, err
}
