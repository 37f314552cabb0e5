package disk

import "golang.org/x/sys/unix"

// spaceFrom counts what the file system reports. f_bavail is in fragments of f_frsize; f_bsize is
// only the size of transfers that the file system likes, and on FUSE and virtiofs up to 256 times
// as large.
func spaceFrom(st *unix.Statfs_t) Space {
	unit := int64(st.Frsize)
	if unit <= 0 {
		unit = int64(st.Bsize) // kernels before 2.6 did not fill it in
	}
	s := newSpace(st.Bavail, unit, st.Files, st.Ffree)
	if st.Bfree > st.Bavail {
		s.Privileged = newSpace(st.Bfree-st.Bavail, unit, 0, 0).Bytes
	}
	s.Doubtful = st.Type == unix.BTRFS_SUPER_MAGIC // which hands out its disk in chunks
	return s
}
