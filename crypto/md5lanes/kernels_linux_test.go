package md5lanes_test

import (
	"crypto/md5"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"

	"github.com/gabion-storage/gabion/crypto/md5lanes"
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

func TestReadsNothingOutside(t *testing.T) {
	page := guarded(t)
	copy(page, randomBytes(rand.New(rand.NewPCG(seedOf(t), 0)), len(page)))
	for name, kernel := range md5lanes.Kernels {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{md5.BlockSize, 2 * md5.BlockSize, len(page)} {
				for _, p := range [][]byte{page[:n], page[len(page)-n:]} {
					states, messages := make([][4]uint32, kernel.Width()), make([][]byte, kernel.Width())
					for i := range states {
						states[i], messages[i] = stateOf(t, nil), p
					}
					kernel.Run(states, messages)
					for i, want := 0, stateOf(t, p); i < len(states); i++ {
						if states[i] != want {
							t.Fatalf("%d bytes, lane %d: %08x, want %08x", n, i, states[i], want)
						}
					}
				}
			}
		})
	}
}
