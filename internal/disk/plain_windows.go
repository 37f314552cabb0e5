package disk

import (
	"os"

	"golang.org/x/sys/windows"
)

// onlyPlain is nothing here: what could be waited for has no name in a directory.
const onlyPlain = 0

func waitLock(f *os.File) error {
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, &windows.Overlapped{})
	return os.NewSyscallError("LockFileEx", err)
}
