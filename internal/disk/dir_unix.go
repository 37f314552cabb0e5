//go:build unix

package disk

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// atOnce is the flag with which opening a FIFO or a device does not wait.
const atOnce = unix.O_NONBLOCK

// patient takes back what atOnce has set: the kernel may take it as a wish for reading and writing.
func patient(f *os.File) error {
	return os.NewSyscallError("fcntl", unix.SetNonblock(int(f.Fd()), false))
}

// links is how many names a file has.
func links(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Nlink)
	}
	return 1
}

func syncHandle(dir *os.File) error { return dir.Sync() }

// openAgain makes another handle of an open file. It is cheaper than opening by name.
func openAgain(f *os.File) (int, error) {
	h, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	return h, os.NewSyscallError("open", err)
}

func closeAgain(h int) error { return os.NewSyscallError("close", unix.Close(h)) }

// Space returns the free space of the file system that holds the directory.
func (d *Dir) Space() (Space, error) {
	var st unix.Statfs_t
	var err error = unix.EINTR
	for errors.Is(err, unix.EINTR) {
		err = unix.Fstatfs(int(d.handle.Fd()), &st)
	}
	return ownSpace(d.Path(), &st, err)
}
