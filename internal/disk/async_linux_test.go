package disk_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/gabion-storage/gabion/internal/disk"
)

// TestDirectIsDirect looks whether writing goes past the page cache where the kernel says it can.
func TestDirectIsDirect(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	f, err := disk.CreateDirect(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	if err != nil {
		t.Fatal(err)
	}
	if flags&unix.O_DIRECT == 0 {
		t.Skip("this file system cannot")
	}
	const size = 64 * disk.BlockSize
	if err := disk.Extend(f, 0, size); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(randomBlocks(3, 64), 0); err != nil {
		t.Fatal(err)
	}
	mem, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Munmap(mem) }()
	if n := residentPages(t, mem); n > 0 {
		t.Errorf("%d pages are in the page cache", n)
	}
}

// residentPages counts the pages of a mapped file that are in memory.
func residentPages(t *testing.T, mem []byte) (n int) {
	t.Helper()
	resident := make([]byte, (len(mem)+os.Getpagesize()-1)/os.Getpagesize())
	if err := mincore(mem, resident); err != nil {
		t.Fatal(err)
	}
	for _, page := range resident {
		n += int(page & 1)
	}
	return n
}

// TestAsyncEnds returns all file handles with Close.
func TestAsyncEnds(t *testing.T) {
	handles := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	before := handles()
	var async disk.Async
	for range 3 {
		if err := async.WriteAt(f, []byte("bytes"), 0); err != nil {
			t.Fatal(err)
		}
	}
	if n := handles(); n != before+1 {
		t.Errorf("calls one after another use %d handles, wanted is 1", n-before)
	}
	if err := async.Close(); err != nil {
		t.Fatal(err)
	}
	if n := handles(); n != before {
		t.Errorf("%d handles are left", n-before)
	}
}

func mincore(mem, resident []byte) error {
	_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&mem[0])), uintptr(len(mem)), uintptr(unsafe.Pointer(&resident[0])))
	if errno != 0 {
		return errno
	}
	return nil
}
