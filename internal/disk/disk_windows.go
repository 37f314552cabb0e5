package disk

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

var noSpaceErrors = []error{windows.ERROR_DISK_FULL, windows.ERROR_HANDLE_DISK_FULL}

// SyncDir does nothing: NTFS journals directory entries and offers no call to flush one.
func SyncDir(string) error { return nil }

// SpaceOf returns the free space of the file system that holds dir.
func SpaceOf(dir string) (Space, error) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return Space{}, err
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(name, &free, nil, nil); err != nil {
		return Space{}, &os.PathError{Op: "GetDiskFreeSpaceEx", Path: dir, Err: err}
	}
	return newSpace(free, 1, 0, 0), nil // inodes are not counted
}

func lockFile(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &windows.Overlapped{})
	if err == windows.ERROR_LOCK_VIOLATION {
		return ErrLocked
	}
	return os.NewSyscallError("LockFileEx", err)
}

// waitLock is lockFile, but waits.
func waitLock(f *os.File) error {
	err := windows.LockFileEx(
		windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, &windows.Overlapped{},
	)
	return os.NewSyscallError("LockFileEx", err)
}

// lockHandle does nothing: a directory's handle cannot be locked here, and a file that is open
// cannot be deleted, so that the lock file is enough.
func lockHandle(*os.File) error { return nil }

func isReadOnly(err error) bool { return errors.Is(err, windows.ERROR_WRITE_PROTECT) }

// Allocated returns the bytes that a file occupies on disk, holes excluded; on Windows its size.
func Allocated(info fs.FileInfo) int64 { return info.Size() }
