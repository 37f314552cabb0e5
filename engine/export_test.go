package engine

import (
	"context"
	"errors"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/internal/disk"
)

// OpenStores returns an engine on these stores instead of those in a directory. dir is locked and
// else unused.
func OpenStores(dir string, o *Options, idx index.Store, blobs blob.Store) (*Engine, error) {
	d, err := disk.OpenDir(dir)
	if err != nil {
		return nil, err
	}
	lock, err := d.Lock()
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	e := &Engine{dir: d, opts: o.withDefaults(), lock: lock, index: idx, blobs: blobs}
	e.keys = newProvider(e.opts.Keys)
	if err := e.checkHeader(context.Background(), nil); err != nil {
		return nil, errors.Join(err, lock.Unlock(), d.Close())
	}
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

// WithoutHoles makes the chunk store one that cannot trim, as on a file system without holes: what is
// dead comes back by copying.
func WithoutHoles(e *Engine) {
	<-e.sweeper.turn
	defer e.sweeper.pass()
	e.blobs = noHoles{e.blobs}
}

type noHoles struct{ blob.Store }

func (noHoles) Trim(context.Context, uint64, []blob.Ref) (int64, error) {
	return 0, errors.ErrUnsupported
}

// ParseFormat parses the content of a format file, and makes it again.
func ParseFormat(text string) (again string, err error) {
	f, err := parseFormat("FORMAT", text)
	if err != nil {
		return "", err
	}
	return f.line(), nil
}
