package crypto

import (
	"sync"

	"github.com/zeebo/blake3"

	"github.com/gabion-storage/gabion/crypto/blake3lanes"
)

// blake3Buffer is how much of what it hashed a blake3.Hasher keeps: the group of BLAKE3's chunks
// that came last.
const blake3Buffer = 8 << 10

var zeros [blake3Buffer]byte

// A blake3Hash makes BLAKE3-256 sums, all under one key or all without, on the caller's goroutine.
// It is safe for concurrent use.
type blake3Hash struct {
	// hashers holds *blake3.Hasher. One has 11 KiB, and the library makes a new one for each key.
	hashers sync.Pool

	lanes *blake3lanes.Key // for what is long; nil where the CPU has none
}

// newBLAKE3 returns BLAKE3 without a key.
func newBLAKE3() *blake3Hash {
	b := new(blake3Hash)
	b.hashers.New = func() any { return blake3.New() }
	if blake3lanes.Available() {
		b.lanes = blake3lanes.Unkeyed()
	}
	return b
}

// newKeyedBLAKE3 returns BLAKE3 in keyed mode.
func newKeyedBLAKE3(key [32]byte) *blake3Hash {
	b := new(blake3Hash)
	b.hashers.New = func() any {
		h, err := blake3.NewKeyed(key[:])
		if err != nil {
			panic("crypto: BLAKE3 refuses a key of 32 bytes: " + err.Error()) // no other length fails
		}
		return h
	}
	if blake3lanes.Available() {
		b.lanes = blake3lanes.NewKey(key)
	}
	return b
}

// sum returns the BLAKE3-256 of data and allocates nothing.
func (b *blake3Hash) sum(data []byte) [32]byte {
	if b.lanes != nil && len(data) >= blake3lanes.LeastSize && len(data) <= blake3lanes.MaxSize {
		return b.lanes.Sum(data)
	}
	h := b.hashers.Get().(*blake3.Hasher)
	defer b.hashers.Put(h)
	return sumAndForget(h, data)
}

// sumAndForget leaves none of data in h, which lies in a pool afterwards: it may be somebody's
// secret.
func sumAndForget(h *blake3.Hasher, data []byte) (sum [32]byte) {
	_, _ = h.Write(data) // cannot fail
	h.Sum(sum[:0])
	h.Reset() // keeps the key, and the buffer
	_, _ = h.Write(zeros[:min(len(data), blake3Buffer)])
	h.Reset()
	return sum
}
