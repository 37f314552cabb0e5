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

// mapFile maps a new file of so many pages.
func mapFile(t *testing.T, pages int) (*os.File, []byte) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "a file (deleted)"))
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
	t.Cleanup(func() { unix.Munmap(mem) })
	return mem
}

func addressOf(mem []byte, i int) uintptr { return uintptr(unsafe.Pointer(&mem[i])) }

func TestMapping(t *testing.T) {
	f, mem := mapFile(t, 64)
	other, otherMem := mapFile(t, 1)
	m := disk.FindMapping(f)
	if !m.Contains(addressOf(mem, 0)) || !m.Contains(addressOf(mem, len(mem)-1)) {
		t.Fatal("the mapping was not found")
	}
	if m.Contains(addressOf(otherMem, 0)) || m.Contains(addressOf(mem, 0)-1) || m.Contains(addressOf(mem, len(mem)-1)+1) {
		t.Error("the mapping is too large")
	}
	if mapAgain(t, other, os.Getpagesize()); disk.FindMapping(other) != (disk.Mapping{}) {
		t.Error("of two mappings one was chosen")
	}
	unmapped, err := os.Create(filepath.Join(t.TempDir(), "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer unmapped.Close()
	if disk.FindMapping(unmapped) != (disk.Mapping{}) {
		t.Error("a file that is not mapped has a mapping")
	}
}

// What is dropped is no longer in the process's memory, only whole pages are, and no byte is lost.
func TestMappingDrop(t *testing.T) {
	const pages = 64
	page := os.Getpagesize()
	f, mem := mapFile(t, pages)
	m := disk.FindMapping(f)
	for i := range mem {
		mem[i] = byte(i>>12 + i)
	}
	want := bytes.Clone(mem)
	if got := disk.ResidentPages(t, m); got != pages {
		t.Fatalf("%d pages are resident, wanted %d", got, pages)
	}
	m.Drop(int64(page)+1, int64(10*page)-1) // pages 2 to 8
	if got := disk.ResidentPages(t, m); got != pages-7 {
		t.Errorf("%d pages are resident after 7 were dropped, wanted %d", got, pages-7)
	}
	m.Drop(5, 6)
	m.Drop(7, 3)
	m.Drop(-1, int64(len(mem)))
	if got := disk.ResidentPages(t, m); got != pages-7 {
		t.Errorf("%d pages are resident after drops of nothing, wanted %d", got, pages-7)
	}
	m.Drop(0, 1<<40)
	if got := disk.ResidentPages(t, m); got != 0 {
		t.Errorf("%d pages are resident after all were dropped", got)
	}
	if !bytes.Equal(mem, want) {
		t.Error("the content has changed")
	}
}
