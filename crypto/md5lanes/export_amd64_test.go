//go:build !purego

package md5lanes

import "golang.org/x/sys/cpu"

func init() {
	if cpu.X86.HasAVX2 {
		Kernels["AVX2x8"] = Kernel{8, 2, avx2x8}
		Kernels["AVX2x16"] = Kernel{16, 2, avx2x16}
	}
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512VL {
		Kernels["AVX512x8"] = Kernel{8, 1, avx512x8}
	}
	if cpu.X86.HasAVX512F {
		Kernels["AVX512x16"] = Kernel{16, 2, avx512x16}
	}
}
