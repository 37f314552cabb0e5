package disk

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// A Mapping is where in memory a file is mapped from its beginning. The zero Mapping contains nothing.
type Mapping struct{ start, end uintptr }

// FindMapping returns where this process has f mapped, or the zero Mapping when that cannot be told:
// nowhere, in several places, or by a file system that names its files differently in memory maps.
func FindMapping(f *os.File) Mapping {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return Mapping{}
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return Mapping{}
	}
	return findMapping(string(maps), unix.Major(st.Dev), unix.Minor(st.Dev), st.Ino)
}

// findMapping reads maps in the form of proc_pid_maps(5).
func findMapping(maps string, major, minor uint32, inode uint64) (found Mapping) {
	for line := range strings.Lines(maps) {
		var m Mapping
		var perms string
		var offset, ino uint64
		var maj, minr uint32
		_, err := fmt.Sscanf(line, "%x-%x %s %x %x:%x %d", &m.start, &m.end, &perms, &offset, &maj, &minr, &ino)
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

// Contains tells whether an address lies in the mapping.
func (m Mapping) Contains(address uintptr) bool { return address >= m.start && address < m.end }

// Drop takes the whole pages of the file from off to end out of the page tables; what was written
// through them stays in the file, and touching them maps them again. The mapping must still be there.
func (m Mapping) Drop(off, end int64) {
	page := uintptr(os.Getpagesize())
	from := (m.start + uintptr(off) + page - 1) &^ (page - 1)
	to := min(m.start+uintptr(end), m.end) &^ (page - 1)
	if off < 0 || from >= to {
		return
	}
	_, _, _ = unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_DONTNEED) // a hint: it may fail
}
