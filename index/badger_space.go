package index

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/dgraph-io/badger/v4"

	"github.com/gabion-storage/gabion/internal/disk"
)

const (
	// spareInodes and spareHandles are what Badger's background work may need to create files. When it cannot, nothing more can be
	// committed until the index is opened again.
	spareInodes  = 64
	spareHandles = 16

	// walSpace is what Badger writes to a log before it begins the next: a memtable's worth and one transaction, with the headers
	// of its records.
	walSpace = memTableSize + 2<<20
)

// ready refuses updates before anything that Badger cannot survive comes near.
func (d *database) ready() error {
	if err := d.room(d.reserve); err != nil {
		return err
	}
	d.committing.Lock()
	defer d.committing.Unlock()
	g := d.generation()
	if err := disk.CheckHandles(filepath.Join(g.dir, badger.ManifestFilename), spareHandles); err != nil {
		return mapError("open spare files", err)
	}
	return mapError("preallocate the log", g.wal.allocate())
}

// closable refuses to close, which writes the memtable into a table. It ends what runs in the background.
func (d *database) closable() error {
	d.background.stop()
	return d.room(d.spareSpace())
}

// spareSpace is what opening and closing need. It is less than the reserve, so that an index which ran into its reserve can still
// be closed, and opened to delete from it.
func (d *database) spareSpace() int64 { return min(d.reserve/2, 2*walSpace) }

// room checks that at least this many bytes are free.
func (d *database) room(least int64) error {
	space, err := d.spaceOf(d.dir)
	switch {
	case err != nil:
		return mapError("ask for free space", err)
	case space.Bytes < least:
		return fmt.Errorf("%w: %d bytes are free, %d must stay so", ErrNoSpace, space.Bytes, least)
	case space.Inodes < spareInodes:
		return fmt.Errorf("%w: %d inodes are free, %d must stay so", ErrNoSpace, space.Inodes, spareInodes)
	}
	return nil
}

// A wal follows the newest of Badger's write-ahead logs and sets its space aside, so that writing it cannot meet a full disk.
// Who commits owns it.
type wal struct {
	dir       string
	number    int
	allocated bool
}

// find looks for the newest log.
func (w *wal) find() error {
	files, err := os.ReadDir(w.dir)
	if err != nil {
		return err
	}
	for _, file := range files {
		name, isLog := strings.CutSuffix(file.Name(), ".mem")
		if number, err := strconv.Atoi(name); isLog && err == nil {
			w.number = max(w.number, number)
		}
	}
	return nil
}

// follow notices, after a commit, that Badger went on to a new log, and makes sure that it will be found there: Badger syncs the
// file but not its directory.
func (w *wal) follow() error {
	if _, err := os.Stat(w.path(w.number + 1)); err != nil {
		return nil
	}
	w.number++
	w.allocated = false
	return disk.SyncDir(w.dir)
}

// allocate sets the space of the newest log aside, once.
func (w *wal) allocate() error {
	if w.allocated {
		return nil
	}
	f, err := os.OpenFile(w.path(w.number), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(disk.Preallocate(f, 0, walSpace), f.Close()); err != nil {
		return err
	}
	w.allocated = true
	return nil
}

func (w *wal) path(number int) string {
	return filepath.Join(w.dir, fmt.Sprintf("%05d.mem", number))
}
