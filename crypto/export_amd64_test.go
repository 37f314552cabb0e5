//go:build !purego

package crypto

import "golang.org/x/sys/cpu"

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
	if cpu.X86.HasAVX2 {
		MD5Kernels["AVX2x8"] = MD5Kernel{8, md5AVX2x8}
		MD5Kernels["AVX2x16"] = MD5Kernel{16, md5AVX2x16}
	}
	if cpu.X86.HasAVX512F {
		MD5Kernels["AVX512x16"] = MD5Kernel{16, md5AVX512x16}
	}
}
