//go:build unix

package disk

import (
	"errors"
	"io/fs"
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

// SpaceOf returns the free space of the file system that holds dir.
func SpaceOf(dir string) (Space, error) {
	var st unix.Statfs_t
	var err error = unix.EINTR
	for err == unix.EINTR {
		err = unix.Statfs(dir, &st)
	}
	return ownSpace(dir, &st, err)
}

// ownSpace is what this process has of the space that was reported, or could not be.
func ownSpace(dir string, st *unix.Statfs_t, err error) (Space, error) {
	if err != nil {
		return Space{}, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	s := spaceFrom(st)
	if os.Geteuid() != 0 {
		s.Privileged = 0
	}
	return s, nil
}

func lockFile(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == unix.EINTR {
			continue
		}
		if err == unix.EWOULDBLOCK {
			return ErrLocked
		}
		return os.NewSyscallError("flock", err)
	}
}

// waitLock is lockFile, but waits.
func waitLock(f *os.File) error {
	for {
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != unix.EINTR {
			return os.NewSyscallError("flock", err)
		}
	}
}

// lockHandle locks the directory itself. NFS makes of it a lock that needs a handle for writing,
// which no directory has; there, and where else it cannot be had, the lock file stands alone.
func lockHandle(dir *os.File) error {
	err := lockFile(dir)
	for _, cannot := range []error{unix.EBADF, unix.EINVAL, unix.ENOLCK, unix.ENOSYS, unix.EOPNOTSUPP} {
		if errors.Is(err, cannot) {
			return nil
		}
	}
	return err
}

func isReadOnly(err error) bool { return errors.Is(err, unix.EROFS) }

// Allocated returns the bytes that a file occupies on disk, holes excluded; on Windows its size.
func Allocated(info fs.FileInfo) int64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int64(st.Blocks) * 512 // st_blocks counts 512-byte units whatever the block size
	}
	return info.Size()
}
