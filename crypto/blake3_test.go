package crypto_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"lukechampine.com/blake3"

	"github.com/gabion-storage/gabion/crypto"
)

// The sizes are those around which the shape of the tree changes.
func TestAddressIsBLAKE3(t *testing.T) {
	rng := rand.New(rand.NewPCG(seedOf(t), 0))
	sizes := []int{0, 1, 63, 64, 65}
	for _, groups := range []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 31, 32, 33, 64, 65} {
		for _, chunks := range []int{0, 1, 2, 3, 8, 15} {
			n := groups*16384 + chunks*1024
			sizes = append(sizes, max(0, n-1), n, n+1)
		}
	}
	data := randomBytes(rng, 66*16384)
	key := randomBytes(rng, 32)
	for _, n := range sizes {
		if got, want := crypto.AddressOf(data[:n]), blake3.Sum256(data[:n]); got != crypto.Address(want) {
			t.Errorf("%d bytes: %s, want %x", n, got, want)
		}
		h := blake3.New(32, key)
		h.Write(data[:n])
		if got, want := crypto.KeyedBLAKE3(key, data[:n]), h.Sum(nil); !bytes.Equal(got[:], want) {
			t.Errorf("%d bytes, with a key: %x, want %x", n, got, want)
		}
	}
}

func TestAddressAllocatesNothing(t *testing.T) {
	data := make([]byte, 1<<20+5000)
	if n := testing.AllocsPerRun(10, func() { crypto.AddressOf(data) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
