package crypto_test

import (
	"crypto/md5"
	"math/rand/v2"
	"testing"

	"github.com/gabion-storage/gabion/crypto"
)

func TestMD5ReadsNothingOutside(t *testing.T) {
	page := guarded(t)
	copy(page, randomBytes(rand.New(rand.NewPCG(seedOf(t), 0)), len(page)))
	for name, kernel := range crypto.MD5Kernels {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{md5.BlockSize, 2 * md5.BlockSize, len(page)} {
				for _, p := range [][]byte{page[:n], page[len(page)-n:]} {
					states, messages := make([][4]uint32, kernel.Lanes()), make([][]byte, kernel.Lanes())
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
