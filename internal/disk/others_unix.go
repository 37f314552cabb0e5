//go:build unix

package disk

import (
	"io/fs"
	"os"
	"syscall"
)

const (
	othersRead  fs.FileMode = 0o044
	othersEnter fs.FileMode = 0o011 // of a directory
	othersWrite fs.FileMode = 0o022
)

// OthersRead reports whether the mode of a file or directory lets its group or everybody read it,
// or enter it. It is always false where modes mean nothing.
func OthersRead(info fs.FileInfo) bool {
	mode := info.Mode()
	return mode&othersRead != 0 || mode.IsDir() && mode&othersEnter != 0
}

// OthersWrite reports whether somebody else than this process's user and the superuser can change a
// file, or exchange what a directory holds: by its mode, or as its owner. In a directory with the
// sticky bit only the owner of an entry can exchange it, so ask for the entry, too. Of a symlink
// only the owner counts. It is always false where modes mean nothing.
func OthersWrite(info fs.FileInfo) bool {
	mode := info.Mode()
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 &&
		int64(st.Uid) != int64(os.Geteuid()) {
		return true
	}
	switch {
	case mode&fs.ModeSymlink != 0, mode.IsDir() && mode&fs.ModeSticky != 0:
		return false
	}
	return mode&othersWrite != 0
}
