package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gabion-storage/gabion/internal/disk"
)

// An ExposedError says that others than this process's user and the superuser can look into a
// directory of the store, or change what it holds: by its mode, or because it is another user's.
// Open leaves it as it is, since whoever made it may want that, and reports it to Events.Alarm.
type ExposedError struct {
	Path string
	Mode fs.FileMode
}

func (e *ExposedError) Error() string {
	return fmt.Sprintf(
		"engine: others can read or change the directory %s: "+
			"its mode is %v, should be %v, and of this process's user",
		e.Path, e.Mode, fs.ModeDir|disk.DirMode,
	)
}

// A keyWatcher is a key provider that knows whether its keys are a secret of this process, such as
// crypto.Keyring.
type keyWatcher interface{ Exposed() error }

// alarmExposed reports what others can get at.
func (e *Engine) alarmExposed() {
	for _, err := range append(e.dir.exposed(), exposedKeys(e.opts.Keys)) {
		if err != nil {
			e.opts.alarm(err)
		}
	}
}

// exposed looks at the directories of a store. Files are made for their owner alone.
func (d *storeDir) exposed() (errs []error) {
	if d == nil {
		return nil
	}
	paths := []string{d.Path(), d.Join(indexDir), d.Join(volumeDir)}
	generations, err := os.ReadDir(d.Join(indexDir))
	if err != nil {
		return []error{err}
	}
	for _, entry := range generations {
		if entry.IsDir() {
			paths = append(paths, filepath.Join(d.Join(indexDir), entry.Name()))
		}
	}
	for _, path := range paths {
		info, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist): // an old database is removed in the background
		case err != nil:
			errs = append(errs, err)
		case disk.OthersRead(info) || disk.OthersWrite(info):
			errs = append(errs, &ExposedError{Path: path, Mode: info.Mode()})
		}
	}
	return errs
}

// exposedKeys asks the key provider, which is the caller's code: how it ends must not leave the
// store locked.
func exposedKeys(keys any) error {
	watcher, ok := keys.(keyWatcher)
	if !ok {
		return nil
	}
	return ofProvider(outside(watcher.Exposed))
}
