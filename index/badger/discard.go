package badger

import (
	"errors"
	"io/fs"

	"github.com/dgraph-io/badger/v4/table"

	"github.com/gabion-storage/gabion/internal/disk"
)

// discard closes a database that nobody reads and that is to be removed. Badger then writes its
// memtable into a table, by a memory map: if others have filled the disk by now, that kills the
// process, and a View may have kept the database for hours. So the blocks that it takes are given
// back first. They are more than the table takes, since its records are also in a log.
func (g *generation) discard() error { return errors.Join(g.free(), g.abandon()) }

// free gives back the blocks of the tables and logs. They stay as long as they are, since Badger has
// them mapped.
func (g *generation) free() error {
	var names []string
	for _, t := range g.db.Tables() { // not one that is being written
		names = append(names, table.IDToFilename(t.ID))
	}
	entries, err := g.dir.Entries()
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if isLog(entry.Name()) {
			names = append(names, entry.Name())
		}
	}
	for _, name := range names {
		if err := g.punch(name); err != nil {
			return err
		}
	}
	return nil
}

// punch gives back the blocks of a file, if it is there, and nobody else's, too.
func (g *generation) punch(name string) (err error) {
	f, err := g.dir.OpenWritable(name)
	var shared *disk.EntryError
	if errors.Is(err, fs.ErrNotExist) || errors.As(err, &shared) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	err = disk.PunchHole(f, 0, info.Size())
	if errors.Is(err, errors.ErrUnsupported) {
		return nil // the reserve is the only guard there
	}
	return err
}
