package disk

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// A Mapping is where in memory a file is mapped from its beginning. The zero Mapping is nowhere:
// nothing is done to it. Who has one must know that the file stays mapped there: what is done to an
// address where something else is by then, destroys that.
type Mapping struct{ start, end uintptr }

// FindMapping returns where this process has f mapped, or the zero Mapping when that cannot be
// told: nowhere, in several places, or by a file system that names its files differently in memory
// maps.
func FindMapping(f *os.File) Mapping {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return Mapping{}
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return Mapping{}
	}
	dev := uint64(st.Dev) //nolint:unconvert // it has 32 bits on some platforms
	return findMapping(string(maps), unix.Major(dev), unix.Minor(dev), st.Ino)
}

// findMapping reads maps in the form of proc_pid_maps(5).
func findMapping(maps string, major, minor uint32, inode uint64) (found Mapping) {
	for line := range strings.Lines(maps) {
		var m Mapping
		var perms string
		var offset, ino uint64
		var maj, minr uint32
		_, err := fmt.Sscanf(
			line, "%x-%x %s %x %x:%x %d", &m.start, &m.end, &perms, &offset, &maj, &minr, &ino,
		)
		if err != nil || ino != inode || maj != major || minr != minor {
			continue
		}
		if found != (Mapping{}) || offset != 0 {
			return Mapping{}
		}
		found = m
	}
	return found
}

// Populate maps the pages of the file from off to end for writing, all at once, which takes less
// than meeting them one by one. A page that cannot be had, because the disk is full, is an error
// here, as IsNoSpace says; who touches it is killed. Kernels before 5.14 cannot do that, and then
// it does nothing.
func (m Mapping) Populate(off, end int64) error {
	err := m.advise(off&^int64(os.Getpagesize()-1), end, unix.MADV_POPULATE_WRITE)
	if errors.Is(err, unix.EFAULT) { // touching it would be a fatal signal
		return fmt.Errorf("disk: populating a memory map: %w: %w", unix.ENOSPC, err)
	}
	return nil
}

// Drop takes the whole pages of the file from off to end out of the page tables; what was written
// through them stays in the file, and touching them maps them again.
func (m Mapping) Drop(off, end int64) {
	if off < 0 {
		return
	}
	mask := int64(os.Getpagesize() - 1)
	whole := min(end, int64(m.end-m.start)) &^ mask
	_ = m.advise((off+mask)&^mask, whole, unix.MADV_DONTNEED) // a hint: it may fail
}

// advise calls madvise(2) for what is mapped of the file from off, where a page begins, to end.
func (m Mapping) advise(off, end int64, advice int) error {
	end = min(end, int64(m.end-m.start))
	if off < 0 || off >= end {
		return nil
	}
	for {
		_, _, errno := unix.Syscall(
			unix.SYS_MADVISE, m.start+uintptr(off), uintptr(end-off), uintptr(advice),
		)
		switch errno {
		case unix.EINTR:
		case 0:
			return nil
		default:
			return os.NewSyscallError("madvise", errno)
		}
	}
}
