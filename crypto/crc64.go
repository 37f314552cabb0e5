package crypto

import "hash/crc64"

var (
	ecmaTable   = crc64.MakeTable(crc64.ECMA)
	ecmaModulus = newModulus(crc64.ECMA)
)

// CRC64 returns the CRC-64/XZ of some bytes followed by p, where crc is that of the bytes before;
// of nothing it is 0. The CRC of "123456789" is 11051210869376104954.
func CRC64(crc uint64, p []byte) uint64 { return updateCRC64(crc, p) }

// CombineCRC64 returns the CRC of A followed by B from the CRC a of A, the CRC b of B and the
// length of B in bytes. It panics when that is negative.
func CombineCRC64(a, b uint64, lenB int64) uint64 { return ecmaModulus.combine(a, b, lenB) }
