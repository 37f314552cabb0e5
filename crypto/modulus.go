package crypto

import "sync"

// modulus is what a CRC is computed modulo: its polynomial, bit-reflected as the CRC itself is, so
// that the highest bit is the coefficient of x^0 and a shift to the right multiplies by x.
//
// A 32-bit CRC is the lower half of a word, and needs no code of its own. Its bits stand for x^32
// to x^63 there, so the word is x^32 times the CRC; its polynomial as a word is x^32 times the
// polynomial likewise. A common factor of value and modulus stays in the remainder: the upper half
// remains zero.
type modulus struct {
	polynomial uint64
	powers     func() *[63]uint64 // x^(8·2^k): what appending 2^k zero bytes multiplies by
}

func newModulus(polynomial uint64) *modulus {
	m := &modulus{polynomial: polynomial}
	m.powers = sync.OnceValue(func() *[63]uint64 {
		var powers [63]uint64
		powers[0] = 1 << (63 - 8)
		for k := 1; k < len(powers); k++ {
			powers[k] = m.multiply(powers[k-1], powers[k-1])
		}
		return &powers
	})
	return m
}

// combine returns the CRC of A followed by B from the CRC a of A, the CRC b of B and the length of
// B in bytes. It panics when that is negative.
//
// Appending n bytes multiplies a CRC by x^8n modulo the polynomial; the conditioning of both CRCs
// (all ones before and after) cancels out, so crc(AB) = a·x^8n + b. The method is that of Mark
// Adler's crc32_combine in zlib: x^8n is the product of the x^(8·2^k) for the bits k set in n.
func (m *modulus) combine(a, b uint64, lenB int64) uint64 {
	if lenB < 0 {
		panic("crypto: combining CRCs with a negative length")
	}
	powers := m.powers()
	for k := 0; lenB != 0; k, lenB = k+1, lenB>>1 {
		if lenB&1 != 0 {
			a = m.multiply(a, powers[k])
		}
	}
	return a ^ b
}

// multiply returns p·q modulo the polynomial.
func (m *modulus) multiply(p, q uint64) uint64 {
	polynomial := m.polynomial
	var product uint64
	for ; p != 0; p <<= 1 {
		// Masks instead of branches, which the predictor would miss every other time.
		product ^= q & -(p >> 63)
		q = q>>1 ^ polynomial&-(q&1)
	}
	return product
}
