package ledger

import (
	"context"
	"errors"

	"github.com/gabion-storage/gabion/index"
)

// Volumes returns what lives in each volume.
func Volumes(ctx context.Context, idx index.Store) (live map[uint64]index.Volume, err error) {
	live = make(map[uint64]index.Volume)
	err = idx.View(ctx, func(r index.Reader) error {
		for entry, err := range index.Scan(r, index.Volumes()) {
			if err != nil {
				return err
			}
			id, err := index.ParseVolumeKey(entry.Key)
			if err != nil {
				return err
			}
			live[id] = entry.Record
		}
		return nil
	})
	return live, err
}

// LiveIn returns what lives in one volume.
func LiveIn(
	ctx context.Context, idx index.Store, volume uint64,
) (live index.Volume, err error) {
	err = idx.View(ctx, func(r index.Reader) (err error) {
		live, err = index.Get(r, index.VolumeKey(volume))
		if errors.Is(err, index.ErrNotFound) {
			return nil
		}
		return err
	})
	return live, err
}

// LiveVolumes lists the volumes in which anything lives, in ascending order.
func LiveVolumes(ctx context.Context, idx index.Store) (ids []uint64, err error) {
	err = idx.View(ctx, func(r index.Reader) error {
		for entry, err := range index.Scan(r, index.Volumes()) {
			if err != nil && len(entry.Key) == 0 {
				return err
			}
			// The key is all it takes, should the record be damaged.
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
