package engine

import (
	"errors"

	"github.com/gabion-storage/gabion/internal/disk"
)

// Free space, of which the stores know, is guarded in steps, each refused what the one before still
// gets:
//
//	below ReserveSpace      nothing that adds data; a large index adds to it what compacting takes
//	below a half of it      no copies of chunks either; holes are made, which takes no space
//	below a quarter of it   (24 MiB at least) no new log of the index; the present one, whose blocks
//	                        are set aside, takes some thousands of deletions more
//
// Others may fill the disk, though. So a file of set-aside blocks lies in the directory, if there
// is one. It is deleted only when the index needs a new log, or is opened or closed, and finds no
// room for that: not before, since others would take that space, too. Reclaiming makes it again as
// soon as there is space for it.
const (
	reserveFile     = "RESERVE"
	reserveFileSize = 32 << 20
)

// room fails with ErrNoSpace if the free space is down to the reserve.
func (e *Engine) room() error {
	free, err := e.free()
	if err != nil {
		return err
	}
	forIndex, err := e.indexSpace.reserve(e.opts.ReserveSpace)
	if err != nil {
		return err
	}
	if free < e.opts.ReserveSpace+forIndex {
		return ErrNoSpace.saying(
			"%d bytes are free on the disk, the reserve is %d, and the index needs %d.", free,
			e.opts.ReserveSpace, forIndex,
		)
	}
	return nil
}

// free is how many bytes either store has room for. They may share a disk.
func (e *Engine) free() (int64, error) {
	chunks, err := e.blobs.Free()
	if err != nil {
		return 0, err
	}
	records, err := e.index.Free()
	return min(chunks, records), err
}

// giveUpReserve deletes the reserve file. The index calls it, where there is nothing else left.
func (d *storeDir) giveUpReserve() error { return d.RemoveIfThere(reserveFile) }

// refillReserve makes the reserve file again when there is space for it.
func (d *storeDir) refillReserve() error {
	if d == nil {
		return nil
	}
	// Who made it may have been killed before it had its blocks.
	if info, err := d.Lstat(reserveFile); err == nil && disk.Allocated(info) >= reserveFileSize {
		return nil
	}
	space, err := d.Space()
	if err != nil || space.Bytes < 2*reserveFileSize {
		return err
	}
	if err := d.giveUpReserve(); err != nil {
		return err
	}
	if err := d.setAside(); err != nil {
		// What a quota or a full disk has let it have would lack elsewhere.
		err = errors.Join(err, d.giveUpReserve())
		if disk.IsNoSpace(err) {
			return nil // the file system has said that there is more than is to be had
		}
		return err
	}
	return d.Sync()
}

// setAside makes the reserve file.
func (d *storeDir) setAside() error {
	f, err := d.Create(reserveFile)
	if err != nil {
		return err
	}
	// Without a sync a power loss could leave the name, and not the blocks that it stands for.
	return errors.Join(disk.Preallocate(f, 0, reserveFileSize), f.Sync(), f.Close())
}
