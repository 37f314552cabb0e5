//go:build !purego && (amd64 || arm64)

package crypto

import (
	"encoding/binary"
	"hash/crc64"
)

// Folding makes a long input short without changing its CRC. The method is that of Gopal et al.,
// "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction", Intel, 2009.
//
// A CRC is the remainder of its input, as a polynomial, modulo P. So the 16 bytes that stand T bits
// before others may be taken out and their product with x^T added to those others: with H and L,
// the earlier and the later half of the 16 bytes,
//
//	(H·x^64 + L)·x^T = H·x^(T+64) + L·x^T ≡ H·(x^(T+64) mod P) + L·(x^T mod P)
//
// which fits 16 bytes again: two multiplications without carries, for which CPUs have an
// instruction. A kernel keeps several sums of 16 bytes, so that their multiplications overlap,
// folds them by the length of all of them while there is input, and then into each other until one
// is left.
//
// Words are bit-reflected, as in modulus: bit 63 is the coefficient of x^0. The product of two such
// words has 127 bits, of which the instruction leaves the highest free, not the lowest, and so it
// stands for x times the product. The constants therefore have an exponent less by one.

// distances holds the constants to fold by 16, 32, 64, 128 and 256 bytes: with T the distance in
// bits, x^(T+63) mod P, which the earlier word is multiplied by, and x^(T-1) mod P for the later
// one.
type distances [5][2]uint64

var ecmaDistances = distances{
	{0xe05dd497ca393ae4, 0xdabe95afc7875f40},
	{0x60095b008a9efa44, 0x3be653a30fe1af51},
	{0x6ae3efbb9dd441f3, 0x081f6054a7842df4},
	{0x8757d71d4fcc1000, 0xd7d86b2af73de740},
	{0x8260adf2381ad81c, 0xf31fd9271e228b79},
}

// finishFolding returns the CRC of an input that was folded into 16 bytes, the words first and
// second, but for its last bytes, fewer than 16.
//
// The state before the input is in the 16 bytes, so the CRC begins anew with the state 0. The
// standard library inverts what it is given, and gets all ones.
func finishFolding(first, second uint64, last []byte) uint64 {
	var rest [32]byte
	binary.LittleEndian.PutUint64(rest[:], first)
	binary.LittleEndian.PutUint64(rest[8:], second)
	n := 16 + copy(rest[16:], last)
	return crc64.Update(^uint64(0), ecmaTable, rest[:n])
}
