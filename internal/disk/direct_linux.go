package disk

import (
	"os"

	"golang.org/x/sys/unix"
)

// CreateDirect creates a file in d, which must not be there, to be written in whole blocks of
// BlockSize, from memory that AlignedMemory returned. Where the file system can, writing goes past
// the page cache: nothing is copied, no page is made, and a sync that follows has little left to
// write.
func (d *Dir) CreateDirect(name string) (*os.File, error) {
	f, err := d.Create(name)
	if err != nil || !canDirect(f) {
		return f, err
	}
	// Not by opening it again: where that fails, a file would be left behind.
	if flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0); err == nil {
		// Refused where it cannot be done; then the file is written through the page cache.
		_, _ = unix.FcntlInt(f.Fd(), unix.F_SETFL, flags|unix.O_DIRECT)
	}
	return f, nil
}

// IsDirect says whether writing to a file goes past the page cache: then it takes whole blocks, and
// nothing else.
func IsDirect(f *os.File) bool {
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	return err != nil || flags&unix.O_DIRECT != 0
}

// canDirect asks the kernel whether blocks of BlockSize can be written past the page cache.
func canDirect(f *os.File) bool {
	var st unix.Statx_t
	if err := unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_DIOALIGN, &st); err != nil {
		return false // kernels before 6.1 do not tell
	}
	aligned := func(n uint32) bool { return n > 0 && BlockSize%n == 0 }
	return st.Mask&unix.STATX_DIOALIGN != 0 && aligned(st.Dio_mem_align) &&
		aligned(st.Dio_offset_align)
}

// AdviseRandom tells the kernel that what is read from f says nothing of what will be read next.
func AdviseRandom(f *os.File) { _ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_RANDOM) }

// Extend makes the file longer, up to size, and sets the blocks aside that it gains from its
// present size on: writing them cannot run out of space then. They read as zeros. Where blocks
// cannot be set aside it does nothing.
func Extend(f *os.File, from, size int64) error { return fallocate(f, 0, from, size-from) }
