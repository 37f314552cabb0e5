package engine

import (
	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/internal/disk"
)

// OpenStores returns an engine on these stores instead of those in a directory. dir is locked and
// else unused.
func OpenStores(dir string, o *Options, idx index.Store, blobs blob.Store) (*Engine, error) {
	lock, err := disk.LockDir(dir)
	if err != nil {
		return nil, err
	}
	e := &Engine{dir: dir, opts: o.withDefaults(), lock: lock, index: idx, blobs: blobs}
	e.start()
	return e, nil
}
