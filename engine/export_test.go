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

// Kept counts the entries of pages that an open Object keeps.
func (o *Object) Kept() (entries int) {
	s := o.source
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.directory != nil {
		entries += len(s.directory.Parts)
	}
	for _, p := range s.pages {
		if p != nil {
			entries += len(p.chunks)
		}
	}
	return entries
}
