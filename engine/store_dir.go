package engine

import (
	"context"
	"errors"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/blob/volumes"
	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/badger"
	"github.com/gabion-storage/gabion/internal/disk"
)

// Names in the store's directory, beside formatFile, reserveFile and disk's lock file.
const (
	indexDir  = "index"
	volumeDir = "volumes"
)

// A storeDir is the directory in which Open has an index and a chunk store: its lock, the file that
// says what it is, and what is set aside for the index on a full disk. nil is of stores that the
// caller has opened, for which there is nothing of that.
//
// No other file of the package knows of what kind the two stores are.
type storeDir struct {
	*disk.Dir
	lock   *disk.Lock
	format *storeFormat // nil in a directory that is no store yet
}

// openStoreDir makes and locks a directory. The caller must call close.
func openStoreDir(path string) (_ *storeDir, err error) {
	if path == "" {
		return nil, ErrInvalidArgument.saying("The store's directory has no name.")
	}
	if err := disk.MakeDir(path); err != nil {
		return nil, err
	}
	d := &storeDir{}
	if d.Dir, err = disk.OpenDir(path); err != nil {
		return nil, err
	}
	// Once before the lock, so that somebody's directory gets no lock file, and once under it.
	if _, err = readFormat(d.Dir); err == nil {
		d.lock, err = d.Lock()
	}
	if err != nil {
		return nil, errors.Join(err, d.Dir.Close())
	}
	if d.format, err = readFormat(d.Dir); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// openIndex opens the index, and makes it if the directory is no store yet.
func (d *storeDir) openIndex(ctx context.Context, o *Options) (index.Store, error) {
	if err := makeDirs(d.Dir, d.format, indexDir, volumeDir); err != nil {
		return nil, err
	}
	idx, err := badger.Open(ctx, d.Join(indexDir), &badger.Options{
		Reserve: o.ReserveSpace / 4,
		GiveUp:  d.giveUpReserve,
		Alarm:   o.alarm,
	})
	if err != nil {
		return nil, err // an interface that holds a nil pointer is not nil
	}
	return idx, nil
}

// openBlobs opens the chunk store, likewise.
func (d *storeDir) openBlobs(ctx context.Context, o *Options) (blob.Store, error) {
	blobs, err := volumes.Open(ctx, d.Join(volumeDir), &volumes.Options{
		Kind:         volumes.Kind(o.Volumes),
		VolumeSize:   o.VolumeSize,
		ReserveSpace: o.ReserveSpace / 2,
		Alarm:        o.alarm,
	})
	if err != nil {
		return nil, err
	}
	return blobs, nil
}

// usage is what the directory has on disk beside the two stores.
func (d *storeDir) usage() (int64, error) {
	if d == nil {
		return 0, nil
	}
	return disk.Usage(d.Path(), formatFile, reserveFile, disk.LockFile)
}

// close unlocks the directory. The stores in it must be closed by then.
func (d *storeDir) close() error {
	if d == nil {
		return nil
	}
	return errors.Join(d.lock.Unlock(), d.Dir.Close())
}
