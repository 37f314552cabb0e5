//go:build unix && !linux

package disk

import "golang.org/x/sys/unix"

// spaceFrom counts what the file system reports. Here f_bsize is the unit of f_bavail ("fundamental
// file system block size", "fragment size" in the manuals); the size of transfers is f_iosize.
func spaceFrom(st *unix.Statfs_t) Space {
	// Some systems count below zero what only the superuser may still use.
	return newSpace(
		uint64(max(int64(st.Bavail), 0)), int64(st.Bsize), uint64(st.Files),
		uint64(max(int64(st.Ffree), 0)),
	)
}
