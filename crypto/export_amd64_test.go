//go:build !purego

package crypto

// CRC64Distances holds the constants to fold by 16, 32, 64, 128 and 256 bytes.
var CRC64Distances = ecmaDistances

func init() {
	if hasPCLMULQDQ {
		CRC64Kernels["PCLMULQDQ"] = crc64PCLMULQDQ
	}
	if hasAVX2 {
		CRC64Kernels["AVX2"] = crc64AVX2
	}
	if hasAVX512 {
		CRC64Kernels["AVX512"] = crc64AVX512
	}
}
