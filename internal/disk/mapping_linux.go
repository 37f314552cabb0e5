package disk

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A mapping is where in memory a file is mapped from its beginning. The zero mapping is nowhere.
type mapping struct{ start, end uintptr }

// DetachMapping puts memory of its own, zeros, where this process has f mapped. Whoever mapped the
// file goes on writing there, but the file gets only what the caller writes to it. That takes a
// third of the processor time of writing through the map, and no full disk can be met there, which
// would end the process.
//
// The memory is returned; it must not be touched after f has been unmapped. It is nil, and nothing
// has happened, when the system promises no more memory or maps, and when it cannot be told where f is
// mapped: nowhere, or in several places.
func DetachMapping(f *os.File) ([]byte, error) {
	m, err := mappingOf(f)
	if err != nil || m == (mapping{}) {
		return nil, err
	}
	size := m.end - m.start
	fresh, err := unix.MmapPtr(
		-1, 0, nil, size, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE,
	)
	if err != nil {
		return nil, nil
	}
	// In a step of its own: mmap(2) in the file's place might unmap the file and then fail.
	start, err := unix.MremapPtr(
		fresh, size, unsafe.Add(nil, m.start), size, unix.MREMAP_MAYMOVE|unix.MREMAP_FIXED,
	)
	if err != nil {
		err = errors.Join(os.NewSyscallError("mremap", err), unix.MunmapPtr(fresh, size))
		if still, _ := mappingOf(f); still == m {
			return nil, nil // at the limit of maps it is refused before anything is done
		}
		return nil, err
	}
	return unsafe.Slice((*byte)(start), size), nil
}

// WantHugePages has memory that DetachMapping returned be of huge pages, if there are any: for a file
// of which much is written.
func WantHugePages(mem []byte) {
	if len(mem) > 0 {
		_ = unix.Madvise(mem, unix.MADV_HUGEPAGE)
	}
}

// hugePage is the size of huge pages on most machines.
const hugePage = 2 << 20

// ReleaseMemory gives mem, which begins with a page, back to the system, but for the end of it that
// lies in a huge page with what follows. What is given back reads as zeros.
func ReleaseMemory(mem []byte) {
	start := uintptr(unsafe.Pointer(unsafe.SliceData(mem)))
	end := hugePageOf(start + uintptr(len(mem)))
	if end > start {
		_ = unix.Madvise(mem[:end-start], unix.MADV_DONTNEED) // a hint: it may fail
	}
}

// ReuseMemory moves the pages of mem[from:to], whose content nobody needs any more, to behind to,
// where mem will be written next: a page that is there need not be cleared first. It moves whole
// huge pages, from the one that from lies in to the one before to's, as far as there is room. What
// lay where they come from reads as zeros; what lay where they go is lost. Where memory cannot be
// moved, nothing happens.
//
// An error says that mem can no longer be written behind to.
func ReuseMemory(mem []byte, from, to int64) error {
	start := uintptr(unsafe.Pointer(unsafe.SliceData(mem)))
	end := start + uintptr(len(mem))
	source := max(hugePageOf(start+uintptr(from)), hugePageOf(start+hugePage-1))
	target := hugePageOf(start + uintptr(to) + hugePage - 1)
	size := min(int64(hugePageOf(start+uintptr(to))-source), int64(end-target)) &^ (hugePage - 1)
	if size <= 0 {
		return nil
	}
	behind := unsafe.Pointer(&mem[target-start])
	_, err := unix.MremapPtr(unsafe.Pointer(&mem[source-start]), uintptr(size), behind, uintptr(size),
		unix.MREMAP_MAYMOVE|unix.MREMAP_FIXED|unix.MREMAP_DONTUNMAP)
	if err == nil || err == unix.EINVAL { // which Linux before 5.7 says to the last flag
		return nil
	}
	// What was behind may have been unmapped by then.
	_, err = unix.MmapPtr(-1, 0, behind, uintptr(size), unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE|unix.MAP_FIXED)
	return os.NewSyscallError("mmap", err)
}

// hugePageOf returns where the huge page begins that has an address.
func hugePageOf(addr uintptr) uintptr { return addr &^ (hugePage - 1) }

// mappingOf returns where this process has f mapped, or the zero mapping when that cannot be told.
func mappingOf(f *os.File) (mapping, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return mapping{}, os.NewSyscallError("fstat", err)
	}
	path, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
	if err != nil {
		return mapping{}, nil // there may be no /proc
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return mapping{}, nil
	}
	return findMapping(string(maps), path, st.Ino), nil
}

// findMapping reads maps in the form of proc_pid_maps(5). It goes by path and inode: Btrfs has other
// devices there than anywhere else.
func findMapping(maps, path string, inode uint64) (found mapping) {
	for line := range strings.Lines(maps) {
		var m mapping
		var perms, device string
		var offset, ino uint64
		_, err := fmt.Sscanf(
			line, "%x-%x %s %x %s %d", &m.start, &m.end, &perms, &offset, &device, &ino,
		)
		if err != nil || ino != inode || !strings.HasSuffix(line, " "+path+"\n") {
			continue
		}
		if found != (mapping{}) || offset != 0 {
			return mapping{}
		}
		found = m
	}
	return found
}
