package engine

import (
	"errors"
	"io/fs"

	"github.com/gabion-storage/gabion/internal/disk"
)

// Free space is guarded in steps, each refused what the one before still gets:
//
//	below ReserveSpace      nothing that adds data; a large index adds to it what compacting takes
//	below a half of it      no copies of chunks either; holes are made, which takes no space
//	below a quarter of it   no new log of the index; the present one, whose blocks are set aside, takes
//	                        some thousands of deletions more
//
// Others may fill the disk, though. So a file of set-aside blocks lies in the directory. It is deleted
// only when the index needs a new log, or is opened or closed, and finds no room for that: not before,
// since others would take that space, too. Reclaiming makes it again as soon as there is space for it.
const (
	reserveFile     = "RESERVE"
	reserveFileSize = 32 << 20
)

// room fails with ErrNoSpace if the free space is down to the reserve.
func (e *Engine) room() error {
	space, err := e.dir.Space()
	if err != nil {
		return err
	}
	forIndex, err := e.indexSpace.reserve(e.opts.ReserveSpace)
	if err != nil {
		return err
	}
	if space.Bytes < e.opts.ReserveSpace+forIndex {
		return ErrNoSpace.saying("%d bytes are free on the disk, the reserve is %d, and the index needs %d.", space.Bytes, e.opts.ReserveSpace, forIndex)
	}
	return nil
}

// giveUpReserve deletes the reserve file. The index calls it, where there is nothing else left.
func (e *Engine) giveUpReserve() error {
	err := e.dir.Remove(reserveFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// refillReserve makes the reserve file again when there is space for it.
func (e *Engine) refillReserve() (err error) {
	// Who made it may have been killed before it had its blocks.
	if info, err := e.dir.Lstat(reserveFile); err == nil && disk.Allocated(info) >= reserveFileSize {
		return nil
	}
	space, err := e.dir.Space()
	if err != nil || space.Bytes < 2*reserveFileSize {
		return err
	}
	if err := e.dir.Remove(reserveFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := e.dir.Create(reserveFile)
	if err != nil {
		return err
	}
	// Without a sync a power loss could leave the name, and not the blocks that it stands for.
	if err := errors.Join(disk.Preallocate(f, 0, reserveFileSize), f.Sync(), f.Close()); err != nil {
		return err
	}
	return e.dir.Sync()
}
