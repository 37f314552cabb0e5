package disk_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gabion-storage/gabion/internal/disk"
)

// mapFile maps a new file of so many bytes, all of them 1.
func mapFile(t *testing.T, size int) (*os.File, []byte) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "a file (deleted)")
	if err := os.WriteFile(name, bytes.Repeat([]byte{1}, size), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, mapAgain(t, f, size)
}

func mapAgain(t *testing.T, f *os.File, size int) []byte {
	t.Helper()
	mem, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Munmap(mem) })
	return mem
}

// TestDetachMapping writes to a file's map, from which the file has been detached.
func TestDetachMapping(t *testing.T) {
	const size = 1 << 20
	f, mapped := mapFile(t, size)
	mem, err := disk.DetachMapping(f)
	if err != nil {
		t.Fatal(err)
	}
	if len(mem) != size || &mem[0] != &mapped[0] {
		t.Fatalf("%d bytes at %p were detached; wanted are %d at %p", len(mem), mem, size, mapped)
	}
	if !bytes.Equal(mapped, make([]byte, size)) {
		t.Error("the memory is not zero")
	}
	copy(mapped[size/2:], "written")
	if !bytes.HasPrefix(mem[size/2:], []byte("written")) {
		t.Error("what was written to the map is not in the memory")
	}
	content, err := os.ReadFile(f.Name())
	if err != nil || !bytes.Equal(content, bytes.Repeat([]byte{1}, size)) {
		t.Errorf("the file has changed: %v", err)
	}
}

// TestDetachNothing: where it is not clear what to detach, nothing happens.
func TestDetachNothing(t *testing.T) {
	twice, first := mapFile(t, 1<<20)
	second := mapAgain(t, twice, 1<<20)
	unmapped, err := os.Create(filepath.Join(t.TempDir(), "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer unmapped.Close()
	for what, f := range map[string]*os.File{"mapped twice": twice, "not mapped": unmapped} {
		if mem, err := disk.DetachMapping(f); err != nil || mem != nil {
			t.Errorf("of a file that is %s, %d bytes were detached, %v", what, len(mem), err)
		}
	}
	if first[0] = 2; second[0] != 2 {
		t.Error("a map of the file that is mapped twice does not show it any more")
	}
}

// TestReleaseMemory: what is released is no longer in the process's memory and reads as zeros.
// What lies in a huge page with what follows is not released.
func TestReleaseMemory(t *testing.T) {
	const huge, size = 2 << 20, 16 << 20
	f, _ := mapFile(t, size)
	mem, err := disk.DetachMapping(f)
	if err != nil {
		t.Fatal(err)
	}
	for i := range mem {
		mem[i] = 3
	}
	disk.ReleaseMemory(nil)
	disk.ReleaseMemory(mem[:1])
	if n := bytes.Count(mem, []byte{3}); n != size {
		t.Errorf("%d bytes are left of %d, of which none was released", n, size)
	}
	const end = size/2 + 1
	disk.ReleaseMemory(mem[:end])
	if n := disk.ResidentBytes(t, mem); n < size-end || n >= size-end+huge {
		t.Errorf("%d bytes are in memory, though %d of %d were released", n, end, size)
	}
	if n := bytes.Count(mem[:end], []byte{0}); n <= end-huge {
		t.Errorf("of %d bytes released %d are zero", end, n)
	}
	if n := bytes.Count(mem[end:], []byte{3}); n != size-end {
		t.Errorf("of what follows only %d of %d bytes are left", n, size-end)
	}
}

// needsMoving skips a test where memory cannot be moved and leave what it left mapped.
func needsMoving(t *testing.T) {
	t.Helper()
	page := uintptr(os.Getpagesize())
	const kind = unix.MAP_PRIVATE | unix.MAP_ANONYMOUS
	old, err := unix.MmapPtr(-1, 0, nil, page, unix.PROT_READ, kind)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.MunmapPtr(old, page)
	moved, err := unix.MremapPtr(old, page, nil, page, unix.MREMAP_MAYMOVE|unix.MREMAP_DONTUNMAP)
	if err != nil {
		t.Skip(err)
	}
	if err := unix.MunmapPtr(moved, page); err != nil {
		t.Fatal(err)
	}
}

// TestReuseMemory: what is written where memory goes on is written to pages that were in use before
// it, and costs no others.
func TestReuseMemory(t *testing.T) {
	needsMoving(t)
	const huge, size = 2 << 20, 32 << 20
	f, _ := mapFile(t, size)
	mem, err := disk.DetachMapping(f)
	if err != nil {
		t.Fatal(err)
	}
	fill := func(from, to int, with byte) {
		for i := range mem[from:to] {
			mem[from+i] = with
		}
	}
	const end = 4*huge + 1
	fill(0, end, 1)
	before := disk.ResidentBytes(t, mem)
	if err := disk.ReuseMemory(mem, 0, end); err != nil {
		t.Fatal(err)
	}
	if mem[end-1] != 1 {
		t.Error("the last byte, which lies in a huge page with what follows, is lost")
	}
	fill(end, 8*huge, 2)
	if n := disk.ResidentBytes(t, mem); n > before+huge {
		t.Errorf("%d bytes are in memory after as many were written again, and %d before", n, before)
	}
	if mem[0] = 3; mem[0] != 3 {
		t.Error("what was moved away cannot be written any more")
	}
}

// TestReuseMemoryToTheEnd: however little there is to move, and room for it, memory can be written.
func TestReuseMemoryToTheEnd(t *testing.T) {
	const huge, size = 2 << 20, 8 << 20
	f, _ := mapFile(t, size)
	mem, err := disk.DetachMapping(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range [][2]int64{
		{0, 0}, {0, 1}, {0, huge}, {1, 3 * huge}, {0, size - huge - 1}, {huge, size - 1}, {0, size},
	} {
		if err := disk.ReuseMemory(mem, part[0], part[1]); err != nil {
			t.Fatal(err)
		}
		for i := range mem {
			mem[i] = 1
		}
	}
}
