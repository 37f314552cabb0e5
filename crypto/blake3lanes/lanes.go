package blake3lanes

import "encoding/binary"

//go:generate go run kernels_gen.go

// width is how many lanes there are.
const width = 16

// The flags of table 3 of the BLAKE3 paper, as far as they are used here.
const (
	flagChunkStart = 1 << iota
	flagChunkEnd
	flagParent
	flagRoot
	flagKeyedHash
)

// A value is a chaining value, or a key.
type value [8]uint32

// iv is table 1 of the paper: the key of a hash without one.
var iv = value{
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
}

// lanes are messages of the same number of blocks, which the kernel compresses together. The
// assembly knows the fields by their names.
type lanes struct {
	offsets  [width]uint64    // of the messages, from the address that the kernel gets
	counters [width]uint32    // of chunks
	values   [8][width]uint32 // word by word: what comes out
	key      value            // what goes in

	flags       uint32 // of every block
	first, last uint32 // further ones, of the first block and of the last
	size        uint32 // bytes of the last block
}

// place says where the messages are: one behind the other. Lanes that are not used do the first
// one's work.
func (l *lanes) place(used, distance int) {
	for i := range used {
		l.offsets[i] = uint64(i * distance)
	}
	clear(l.offsets[used:])
}

// value is what came out of a lane.
func (l *lanes) value(i int) (v value) {
	for word := range v {
		v[word] = l.values[word][i]
	}
	return v
}

func valueOf(b *[32]byte) (v value) {
	for i := range v {
		v[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return v
}

func (v *value) bytes() (b [32]byte) {
	for i, word := range v {
		binary.LittleEndian.PutUint32(b[4*i:], word)
	}
	return b
}
