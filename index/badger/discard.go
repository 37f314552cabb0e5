package badger

import (
	"errors"
	"io/fs"

	"github.com/gabion-storage/gabion/internal/disk"
)

// discard closes a database that nobody reads and that is to be removed. Badger then writes its
// memtable into a table, by a memory map: if others have filled the disk by now, that kills the
// process, and a View may have kept the database for hours. So the blocks that it takes are given
// back first. They are more than the table takes, since its records are also in a log. Btrfs refuses
// that when it is full; then the database stays open until there is space.
//
// It keeps commits away, which may take the space for themselves: as long as Badger takes to write a
// memtable, some 50 ms, and a few seconds where it cannot. The caller does not keep them away.
func (d *database) discard(g *generation) error {
	d.committing.Lock()
	defer d.committing.Unlock()
	if d.building == g {
		d.building = nil
	}
	g.returnSpare()
	if err := d.freeBlocks(g); err != nil {
		if tryErr := d.try(spareSpace); tryErr != nil {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.kept = append(d.kept, g)
			d.taken = max(d.taken, g.number)
			return errors.Join(errKept, err, tryErr)
		}
	}
	err := g.abandon()
	if errors.Is(err, errStuck) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.taken = max(d.taken, g.number)
	}
	return err
}

// errKept says that a database could not be closed yet.
var errKept = errors.New("index: an old database stays open for want of space")

// tryAlone is try, between two commits.
func (d *database) tryAlone(n int64) error {
	d.committing.Lock()
	defer d.committing.Unlock()
	return d.try(n)
}

// remove closes a generation that is not in charge and removes its files.
func (d *database) remove(g *generation) error {
	err := d.discard(g)
	if errors.Is(err, errStuck) || errors.Is(err, errKept) {
		return err
	}
	return errors.Join(err, d.dir.RemoveAll(g.name()))
}

// removeKept tries again what there was no space for.
func (d *database) removeKept() (err error) {
	d.mu.Lock()
	kept := d.kept
	d.kept = nil
	d.mu.Unlock()
	for _, g := range kept {
		err = errors.Join(err, d.remove(g))
	}
	return err
}

// freeBlocks gives back the blocks of the logs, and of tables until spareSpace has come back with
// them: a large database has thousands, which commits need not wait for, and their files are removed
// soon. Of tables that a snapshot or a clone of the file system shares nothing comes back; the logs are
// too young for that. The files stay as long as they are, since Badger has them mapped.
func (d *database) freeBlocks(g *generation) error {
	g.settle() // not a table that is being written
	entries, err := g.dir.Entries()
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if isLog(entry.Name()) {
			if _, err := d.freeFile(g, entry.Name()); err != nil {
				return err
			}
		}
	}
	var freed int64
	for _, entry := range entries {
		if !isTable(entry.Name()) {
			continue
		}
		n, err := d.freeFile(g, entry.Name())
		if err != nil {
			return err
		}
		if freed += n; freed >= spareSpace {
			return nil
		}
	}
	return nil
}

// freeFile gives back the blocks of a file, if it is there, and nobody else's, too. It returns how many
// bytes they held.
func (d *database) freeFile(g *generation, name string) (freed int64, err error) {
	f, err := g.dir.OpenWritable(name)
	var shared *disk.EntryError
	if errors.Is(err, fs.ErrNotExist) || errors.As(err, &shared) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	err = d.punch(f, 0, info.Size())
	if errors.Is(err, errors.ErrUnsupported) {
		return 0, nil // the reserve is the only guard there
	}
	return disk.Allocated(info), err
}
