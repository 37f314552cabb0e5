package disk

import "unsafe"

// BlockSize is what files made by CreateDirect are written in whole multiples of, at multiples of
// it.
const BlockSize = 4 << 10

// AlignedMemory returns n bytes that begin at a multiple of BlockSize in memory.
func AlignedMemory(n int) []byte {
	mem := make([]byte, n+BlockSize-1)
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(mem))) % BlockSize
	return mem[skip:][:n:n]
}

// RoundUp returns the least multiple of BlockSize that is not below n.
func RoundUp(n int64) int64 { return (n + BlockSize - 1) / BlockSize * BlockSize }
