package disk

import (
	"os"

	"golang.org/x/sys/unix"
)

// Preallocate makes the file system set aside the blocks of f from off to off+n, so that writing
// them later, also through a memory map, cannot run out of space. The file's size stays.
func Preallocate(f *os.File, off, n int64) error {
	return fallocate(f, unix.FALLOC_FL_KEEP_SIZE, off, n)
}

// Deallocate gives the blocks of f from off to off+n back; they read as zeros then. The file's size
// stays.
func Deallocate(f *os.File, off, n int64) error {
	return fallocate(f, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n)
}

func fallocate(f *os.File, mode uint32, off, n int64) error {
	for {
		err := unix.Fallocate(int(f.Fd()), mode, off, n)
		if err == unix.EINTR {
			continue
		}
		// A file system without fallocate (some network and overlay ones) leaves the reserve as
		// the only guard, as on the platforms that lack the call.
		if err == unix.EOPNOTSUPP || err == unix.ENOSYS {
			return nil
		}
		return os.NewSyscallError("fallocate", err)
	}
}
