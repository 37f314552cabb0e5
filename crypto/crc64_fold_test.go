//go:build !purego && (amd64 || arm64)

package crypto_test

import (
	"math/bits"
	"testing"

	"github.com/gabion-storage/gabion/crypto"
)

// powerOfX returns x^n modulo the polynomial of ECMA-182, by n multiplications by x. Here bit 63 is
// the coefficient of x^63, as in the standard; the result is reflected.
func powerOfX(n int) uint64 {
	const polynomial = 0x42F0E1EBA9EA3693
	power := uint64(1)
	for range n {
		overflow := power >> 63
		power = power<<1 ^ polynomial*overflow
	}
	return bits.Reverse64(power)
}

func TestCRC64Distances(t *testing.T) {
	for k, got := range crypto.CRC64Distances {
		bytes := 16 << k
		want := [2]uint64{powerOfX(8*bytes + 63), powerOfX(8*bytes - 1)}
		if got != want {
			t.Errorf("by %d bytes: %#x, want %#x", bytes, got, want)
		}
	}
}
