package blake3lanes_test

import (
	"os"
	"syscall"
	"testing"

	"github.com/zeebo/blake3"

	"github.com/gabion-storage/gabion/crypto/blake3lanes"
)

func TestReadsNothingOutside(t *testing.T) {
	needKernel(t)
	source, _ := sourceOf(t)
	// Pages that may be read between two that may not.
	page := os.Getpagesize()
	inner := (20*chunk + page - 1) / page * page
	pages, err := syscall.Mmap(-1, 0, inner+2*page, syscall.PROT_NONE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Munmap(pages); err != nil {
			t.Error(err)
		}
	})
	data := pages[page : page+inner]
	if err := syscall.Mprotect(data, syscall.PROT_READ|syscall.PROT_WRITE); err != nil {
		t.Fatal(err)
	}
	source.Read(data)
	for n := 16 * chunk; n <= 18*chunk; n += 13 {
		for _, p := range [][]byte{data[:n], data[len(data)-n:]} {
			if got, want := blake3lanes.Unkeyed().Sum(p), blake3.Sum256(p); got != want {
				t.Fatalf("%d bytes: %x, want %x", n, got, want)
			}
		}
	}
}
