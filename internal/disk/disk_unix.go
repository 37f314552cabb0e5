//go:build unix

package disk

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

var noSpaceErrors = []error{unix.ENOSPC, unix.EDQUOT}

// SyncDir makes the creation, renaming and removal of entries of dir durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Space is what a file system has left for an unprivileged user.
type Space struct {
	Bytes  int64
	Inodes int64 // math.MaxInt64 where the file system does not count them
}

// SpaceOf returns the free space of the file system that holds dir.
func SpaceOf(dir string) (Space, error) {
	var st unix.Statfs_t
	for {
		err := unix.Statfs(dir, &st)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return Space{}, &os.PathError{Op: "statfs", Path: dir, Err: err}
		}
		break
	}
	s := Space{Bytes: int64(st.Bavail) * int64(st.Bsize), Inodes: int64(st.Ffree)}
	if st.Files == 0 {
		s.Inodes = math.MaxInt64
	}
	return s, nil
}

func lockFile(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == unix.EWOULDBLOCK {
		return ErrLocked
	}
	return os.NewSyscallError("flock", err)
}

// Allocated returns the bytes that a file occupies on disk, holes excluded; on Windows its size.
func Allocated(info fs.FileInfo) int64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int64(st.Blocks) * 512 // st_blocks counts 512-byte units whatever the block size
	}
	return info.Size()
}
