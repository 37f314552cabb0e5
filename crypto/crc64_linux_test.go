package crypto_test

import (
	"hash/crc64"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
)

// guarded returns memory that faults when a byte before or behind it is read.
func guarded(t *testing.T) []byte {
	t.Helper()
	size := os.Getpagesize()
	pages, err := syscall.Mmap(-1, 0, 3*size, syscall.PROT_NONE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Munmap(pages); err != nil {
			t.Error(err)
		}
	})
	inner := pages[size : 2*size : 2*size]
	if err := syscall.Mprotect(inner, syscall.PROT_READ|syscall.PROT_WRITE); err != nil {
		t.Fatal(err)
	}
	return inner
}

func TestCRC64ReadsNothingOutside(t *testing.T) {
	rng := rand.New(rand.NewPCG(seedOf(t), 0))
	page := guarded(t)
	copy(page, randomBytes(rng, len(page)))
	eachKernel(t, func(t *testing.T, kernel kernel) {
		for n := range min(len(page), 4096) + 1 {
			for _, p := range [][]byte{page[:n], page[len(page)-n:]} {
				if got, want := kernel(0, p), crc64.Update(0, oracle, p); got != want {
					t.Fatalf("of %d bytes: %d, want %d", n, got, want)
				}
			}
		}
	})
}
