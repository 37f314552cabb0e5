package disk

import (
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// atOnce is nothing here: what could be waited for has no name in a directory.
const atOnce = 0

func patient(*os.File) error { return nil }

// links is how many names a file has, as far as that is known: here it is not.
func links(fs.FileInfo) uint64 { return 1 }

// syncHandle does nothing: NTFS journals directory entries and offers no call to flush one.
func syncHandle(*os.File) error { return nil }

func openAgain(f *os.File) (h windows.Handle, err error) {
	self := windows.CurrentProcess()
	err = windows.DuplicateHandle(
		self, windows.Handle(f.Fd()), self, &h, 0, false, windows.DUPLICATE_SAME_ACCESS,
	)
	return h, os.NewSyscallError("DuplicateHandle", err)
}

func closeAgain(h windows.Handle) error {
	return os.NewSyscallError("CloseHandle", windows.CloseHandle(h))
}

// Space returns the free space of the file system that holds the directory.
func (d *Dir) Space() (Space, error) { return SpaceOf(d.Path()) }
