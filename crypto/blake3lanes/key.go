package blake3lanes

import "sync"

// Lengths in bytes of the messages that Sum takes.
const (
	// LeastSize is that of the shortest: 16 KiB, a chunk for each lane.
	LeastSize = width * chunkSize

	// MaxSize is that of the longest: 1 TiB.
	MaxSize = 1 << 40
)

// Available says whether there is a kernel for this CPU: on amd64 with AVX-512, unless the build tag
// purego is set. Without one, Sum must not be called.
func Available() bool { return kernel != nil }

// A Key is what a hash begins with: that of the hash without a key, or of the keyed one. It may be
// used from many goroutines.
type Key struct {
	words value
	flags uint32
}

// Unkeyed returns the Key of the hash without one.
func Unkeyed() *Key { return &Key{words: iv} }

// NewKey returns the Key of BLAKE3's keyed hash under these 32 bytes, of which it keeps a copy.
func NewKey(key [32]byte) *Key { return &Key{words: valueOf(&key), flags: flagKeyedHash} }

// Sum returns the BLAKE3-256 of data, which must have LeastSize to MaxSize bytes; there must be a
// kernel, too: see Available. Neither is checked. It keeps nothing of data, and allocates nothing
// but some 11 KiB for each of the calls that run at once, which later ones use again.
func (k *Key) Sum(data []byte) [32]byte {
	t := trees.Get().(*tree)
	defer trees.Put(t)
	return t.sum(k, data)
}

// trees are those that nobody uses right now. One has some 11 KiB.
var trees = sync.Pool{New: func() any { return new(tree) }}
