package disk_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/gabion-storage/gabion/internal/disk"
)

// mapFile maps a new file of so many pages, all of them holes.
func mapFile(t *testing.T, dir string, pages int) (*os.File, []byte) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "a file (deleted)"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	size := pages * os.Getpagesize()
	if err := f.Truncate(int64(size)); err != nil {
		t.Fatal(err)
	}
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

func TestMapping(t *testing.T) {
	f, mem := mapFile(t, t.TempDir(), 64)
	other, _ := mapFile(t, t.TempDir(), 1)
	start, end := disk.Bounds(disk.FindMapping(f))
	if first := uintptr(unsafe.Pointer(&mem[0])); start != first || end != first+uintptr(len(mem)) {
		t.Fatalf("the mapping is at %x to %x, wanted is %x and %d bytes", start, end, first, len(mem))
	}
	if mapAgain(t, other, os.Getpagesize()); disk.FindMapping(other) != (disk.Mapping{}) {
		t.Error("of two mappings one was chosen")
	}
	unmapped, err := os.Create(filepath.Join(t.TempDir(), "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer unmapped.Close()
	m := disk.FindMapping(unmapped)
	if m != (disk.Mapping{}) {
		t.Error("a file that is not mapped has a mapping")
	}
	m.Drop(0, 1<<20) // of nothing
	if err := m.Populate(0, 1<<20); err != nil {
		t.Errorf("Populate of no mapping: %v", err)
	}
}

// TestMappingDrop: what is dropped is no longer in the process's memory, only whole pages are, and
// no byte is lost. What is populated is.
func TestMappingDrop(t *testing.T) {
	const pages = 64
	page := os.Getpagesize()
	f, mem := mapFile(t, t.TempDir(), pages)
	m := disk.FindMapping(f)
	for i := range mem {
		mem[i] = byte(i>>12 + i)
	}
	want := bytes.Clone(mem)
	resident := func(what string, want int) {
		t.Helper()
		if got := disk.ResidentPages(t, m); got != want {
			t.Errorf("%s: %d pages are resident, wanted are %d", what, got, want)
		}
	}
	resident("written", pages)
	m.Drop(int64(page)+1, int64(10*page)-1) // pages 2 to 8
	resident("7 pages dropped", pages-7)
	m.Drop(5, 6)
	m.Drop(7, 3)
	m.Drop(-1, int64(len(mem)))
	resident("nothing dropped", pages-7)
	m.Drop(0, 1<<40)
	resident("all dropped", 0)
	if err := m.Populate(int64(3*page)+1, int64(5*page)+1); err != nil {
		t.Fatal(err)
	}
	if disk.ResidentPages(t, m) == 0 {
		t.Skip("this kernel does not populate")
	}
	resident("populated", 3)
	if err := m.Populate(0, 1<<40); err != nil {
		t.Fatal(err)
	}
	resident("all populated", pages)
	if !bytes.Equal(mem, want) {
		t.Error("the content has changed")
	}
}

// TestPopulateFull populates pages for which a file system has no room. To touch them would end the
// process.
func TestPopulateFull(t *testing.T) {
	const pages = 2048 // 8 MiB of 4
	f, _ := mapFile(t, mount(t), pages)
	m := disk.FindMapping(f)
	err := m.Populate(0, int64(pages*os.Getpagesize()))
	if err == nil && disk.ResidentPages(t, m) == 0 {
		t.Skip("this kernel does not populate")
	}
	if !disk.IsNoSpace(err) {
		t.Errorf("Populate without room: %v", err)
	}
}
