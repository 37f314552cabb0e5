package crypto_test

import (
	"encoding/binary"
	"math/bits"
)

// The flags of table 3 of the BLAKE3 paper, as far as they are used here.
const (
	flagChunkStart = 1 << iota
	flagChunkEnd
	flagParent
	flagRoot
	flagKeyedHash
)

const (
	blake3Block = 64
	blake3Chunk = 1024
)

type blake3Words [8]uint32

// blake3IV is table 1 of the paper.
var blake3IV = blake3Words{
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
}

// blake3Permutation is table 2.
var blake3Permutation = [16]int{2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8}

// referenceBLAKE3 is the BLAKE3-256 of data, word for word as section 2 of the paper has it. With a
// nil key it is without one.
func referenceBLAKE3(key, data []byte) (sum [32]byte) {
	words, flags := blake3IV, uint32(0)
	if key != nil {
		flags = flagKeyedHash
		for i := range words {
			words[i] = binary.LittleEndian.Uint32(key[4*i:])
		}
	}
	for i, word := range blake3Subtree(words, data, 0, flags, flagRoot) {
		binary.LittleEndian.PutUint32(sum[4*i:], word)
	}
	return sum
}

// blake3Subtree is the chaining value of the subtree over data (2.1), which begins at a chunk of
// that number. The last flag goes to its topmost compression.
func blake3Subtree(key blake3Words, data []byte, number uint64, flags, last uint32) blake3Words {
	if len(data) <= blake3Chunk {
		return blake3OfChunk(key, data, number, flags, last)
	}
	// The left subtree is the largest complete one that leaves at least a byte for the right.
	left := blake3Chunk << (bits.Len(uint((len(data)-1)/blake3Chunk)) - 1)
	var block [16]uint32
	l := blake3Subtree(key, data[:left], number, flags, 0)
	r := blake3Subtree(key, data[left:], number+uint64(left/blake3Chunk), flags, 0)
	copy(block[:8], l[:])
	copy(block[8:], r[:])
	return blake3Compress(key, block, 0, blake3Block, flags|flagParent|last)
}

// blake3OfChunk is the chaining value of one chunk (2.4).
func blake3OfChunk(value blake3Words, data []byte, number uint64, flags, last uint32) blake3Words {
	flags |= flagChunkStart
	for {
		var padded [blake3Block]byte
		n := copy(padded[:], data)
		data = data[n:]
		if len(data) == 0 {
			flags |= flagChunkEnd | last
		}
		var block [16]uint32
		for i := range block {
			block[i] = binary.LittleEndian.Uint32(padded[4*i:])
		}
		value = blake3Compress(value, block, number, uint32(n), flags)
		if len(data) == 0 {
			return value
		}
		flags &^= flagChunkStart
	}
}

// blake3Compress is the first half of what the compression function makes (2.2).
func blake3Compress(
	value blake3Words, m [16]uint32, counter uint64, size, flags uint32,
) (half blake3Words) {
	v := [16]uint32{12: uint32(counter), 13: uint32(counter >> 32), 14: size, 15: flags}
	copy(v[:8], value[:])
	copy(v[8:12], blake3IV[:4])
	g := func(a, b, c, d int, x, y uint32) {
		v[a] += v[b] + x
		v[d] = bits.RotateLeft32(v[d]^v[a], -16)
		v[c] += v[d]
		v[b] = bits.RotateLeft32(v[b]^v[c], -12)
		v[a] += v[b] + y
		v[d] = bits.RotateLeft32(v[d]^v[a], -8)
		v[c] += v[d]
		v[b] = bits.RotateLeft32(v[b]^v[c], -7)
	}
	for range 7 {
		for i := range 4 { // columns
			g(i, 4+i, 8+i, 12+i, m[2*i], m[2*i+1])
		}
		for i := range 4 { // diagonals
			g(i, 4+(i+1)%4, 8+(i+2)%4, 12+(i+3)%4, m[8+2*i], m[8+2*i+1])
		}
		before := m
		for i, from := range blake3Permutation {
			m[i] = before[from]
		}
	}
	for i := range half {
		half[i] = v[i] ^ v[8+i]
	}
	return half
}
