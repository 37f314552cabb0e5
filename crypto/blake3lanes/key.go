package blake3lanes

import "sync"

// Lengths in bytes of a message.
const (
	// LeastSize is that of the shortest one for which there are enough chunks for all lanes.
	LeastSize = width * chunkSize

	// MaxSize is that of the longest.
	MaxSize = 1 << 40
)

// Available says whether this CPU has a kernel. Without one, Sum must not be called.
func Available() bool { return kernel != nil }

// A Key is what a hash begins with. It is safe for concurrent use.
type Key struct {
	words value
	flags uint32
}

// Unkeyed returns the Key of the hash without one.
func Unkeyed() *Key { return &Key{words: iv} }

// NewKey returns that of the keyed hash.
func NewKey(key [32]byte) *Key { return &Key{words: valueOf(&key), flags: flagKeyedHash} }

// Sum returns the BLAKE3-256 of data, of LeastSize to MaxSize bytes. It allocates nothing and keeps
// nothing of data.
func (k *Key) Sum(data []byte) [32]byte {
	t := trees.Get().(*tree)
	defer trees.Put(t)
	return t.sum(k, data)
}

// trees are those that nobody uses right now. One has some 11 KiB.
var trees = sync.Pool{New: func() any { return new(tree) }}
