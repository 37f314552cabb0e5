//go:build !purego

package crypto

// CRC64Distances holds the constants to fold by 16, 32, 64, 128 and 256 bytes.
var CRC64Distances = ecmaDistances

func init() {
	if hasPMULL {
		CRC64Kernels["PMULL"] = crc64PMULL
	}
}
