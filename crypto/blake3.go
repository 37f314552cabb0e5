package crypto

import (
	"encoding/binary"
	"sync"

	"lukechampine.com/blake3/guts"
)

// blake3Group is what the library compresses at once: 16 KiB, in lanes of the vector registers.
const blake3Group = guts.MaxSIMD * guts.ChunkSize

// blake3Tails holds *[blake3Group]byte: the library reads a whole group even where the data ends
// before.
var blake3Tails = sync.Pool{New: func() any { return new([blake3Group]byte) }}

// blake3Sum is the BLAKE3-256 of data, on the caller's goroutine. The library's own Sum256 starts a
// goroutine for every group, each of which must grow its stack first: among callers that already
// keep all processors busy that costs a tenth of the time, and 64 KiB of garbage a MiB.
//
// The tree is that of section 2.1 of the BLAKE3 paper: complete subtrees from the left, as large as
// can be.
func blake3Sum(data []byte, key *[8]uint32, flags uint32) (sum [32]byte) {
	// Roots of complete subtrees, the largest first. Their sizes in groups are the bits of done.
	var roots [64][8]uint32
	depth := 0
	done := uint64(0)
	for ; len(data) > blake3Group; done++ {
		group := (*[blake3Group]byte)(data)
		cv := guts.ChainingValue(
			guts.CompressBuffer(group, blake3Group, key, done*guts.MaxSIMD, flags),
		)
		for bits := done; bits&1 == 1; bits >>= 1 {
			depth--
			cv = guts.ChainingValue(guts.ParentNode(roots[depth], cv, key, flags))
		}
		roots[depth] = cv
		depth++
		data = data[blake3Group:]
	}
	node := blake3Tail(data, key, done*guts.MaxSIMD, flags)
	for depth > 0 {
		depth--
		node = guts.ParentNode(roots[depth], guts.ChainingValue(node), key, flags)
	}
	node.Flags |= guts.FlagRoot
	for i, word := range guts.CompressNode(node) {
		if 4*i < len(sum) {
			binary.LittleEndian.PutUint32(sum[4*i:], word)
		}
	}
	return sum
}

// blake3Tail compresses the last group, which may be short or, when there is no data, empty.
func blake3Tail(data []byte, key *[8]uint32, counter uint64, flags uint32) guts.Node {
	if len(data) == blake3Group {
		return guts.CompressBuffer((*[blake3Group]byte)(data), blake3Group, key, counter, flags)
	}
	if len(data) <= guts.ChunkSize {
		return guts.CompressChunk(data, key, counter, flags)
	}
	tail := blake3Tails.Get().(*[blake3Group]byte)
	defer blake3Tails.Put(tail)
	n := copy(tail[:], data)
	defer clear(tail[:n]) // it may be somebody's secret
	return guts.CompressBuffer(tail, n, key, counter, flags)
}

// blake3Key is the form in which the library takes a key.
func blake3Key(key []byte) (words [8]uint32) {
	for i := range words {
		words[i] = binary.LittleEndian.Uint32(key[4*i:])
	}
	return words
}
