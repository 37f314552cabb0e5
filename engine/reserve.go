package engine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gabion-storage/gabion/internal/disk"
)

// Free space is guarded in three steps, each refused what the one before still gets:
//
//	below ReserveSpace      nothing that adds data
//	below a half of it      no copies of chunks either, so that reclaiming ends before the index does
//	below a quarter of it   no transaction of the index
//
// The last quarter is for what cannot be refused: Badger flushing and compacting, and closing.
//
// Others may fill the disk, though. So a file of set-aside blocks lies in the directory, which is
// deleted when opening, closing or deleting would otherwise find no room.
const (
	reserveFile     = "RESERVE"
	reserveFileSize = 32 << 20
)

// room fails with ErrNoSpace if the free space is down to the reserve.
func (e *Engine) room() error {
	space, err := disk.SpaceOf(e.dir)
	if err != nil {
		return err
	}
	if space.Bytes < e.opts.ReserveSpace {
		return ErrNoSpace.saying("%d bytes are free on the disk, the reserve is %d.", space.Bytes, e.opts.ReserveSpace)
	}
	return nil
}

// giveUpReserve deletes the reserve file when there is less free space than opening, closing and
// deleting need.
func (e *Engine) giveUpReserve() error {
	space, err := disk.SpaceOf(e.dir)
	if err != nil || space.Bytes >= e.opts.ReserveSpace/4 {
		return err
	}
	err = os.Remove(filepath.Join(e.dir, reserveFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// refillReserve makes the reserve file again when there is space for it.
func (e *Engine) refillReserve() (err error) {
	path := filepath.Join(e.dir, reserveFile)
	// Who made it may have been killed before it had its blocks.
	if info, err := os.Lstat(path); err == nil && disk.Allocated(info) >= reserveFileSize {
		return nil
	}
	space, err := disk.SpaceOf(e.dir)
	if err != nil || space.Bytes < e.opts.ReserveSpace+reserveFileSize {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := disk.CreateFile(path)
	if err != nil {
		return err
	}
	// Without a sync a power loss could leave the name, and not the blocks that it stands for.
	if err := errors.Join(disk.Preallocate(f, 0, reserveFileSize), f.Sync(), f.Close()); err != nil {
		return err
	}
	return disk.SyncDir(e.dir)
}
