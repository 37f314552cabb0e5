//go:build unix

package disk

import (
	"os"

	"golang.org/x/sys/unix"
)

// onlyPlain are the flags with which opening a FIFO does not wait and a symlink is not followed. For a
// regular file they change nothing.
const onlyPlain = unix.O_NONBLOCK | unix.O_NOFOLLOW

func waitLock(f *os.File) error {
	for {
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != unix.EINTR {
			return os.NewSyscallError("flock", err)
		}
	}
}
