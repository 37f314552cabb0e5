package crypto

import (
	"hash/crc64"
	"sync"
)

var ecmaTable = crc64.MakeTable(crc64.ECMA)

// CRC64 returns the CRC-64/XZ of some bytes followed by p, where crc is that of the bytes before;
// of nothing it is 0. The CRC of "123456789" is 11051210869376104954.
func CRC64(crc uint64, p []byte) uint64 { return crc64.Update(crc, ecmaTable, p) }

// CombineCRC64 returns the CRC of A followed by B from the CRC a of A, the CRC b of B and the length
// of B in bytes, which must not be negative.
//
// Appending n bytes multiplies a CRC by x^8n modulo the polynomial; the conditioning of both CRCs
// (all ones before and after) cancels out, so crc(AB) = a·x^8n + b. The method is that of Mark
// Adler's crc32_combine in zlib: x^8n is the product of the x^(8·2^k) for the bits k set in n.
func CombineCRC64(a, b uint64, lenB int64) uint64 {
	if lenB < 0 {
		panic("crypto: CombineCRC64 of a negative length")
	}
	powers := bytePowers()
	for k := 0; lenB != 0; k, lenB = k+1, lenB>>1 {
		if lenB&1 != 0 {
			a = multiply(a, powers[k])
		}
	}
	return a ^ b
}

// bytePowers returns the polynomials x^(8·2^k): what appending 2^k zero bytes multiplies by.
var bytePowers = sync.OnceValue(func() *[63]uint64 {
	var powers [63]uint64
	powers[0] = 1 << (63 - 8)
	for k := 1; k < len(powers); k++ {
		powers[k] = multiply(powers[k-1], powers[k-1])
	}
	return &powers
})

// multiply returns p·q modulo the ECMA polynomial. Polynomials are bit-reflected as the CRC is: the
// highest bit is the coefficient of x^0, so a shift to the right multiplies by x.
func multiply(p, q uint64) uint64 {
	var product uint64
	for ; p != 0; p <<= 1 {
		// Masks instead of branches, which the predictor would miss every other time.
		product ^= q & -(p >> 63)
		q = q>>1 ^ crc64.ECMA&-(q&1)
	}
	return product
}
