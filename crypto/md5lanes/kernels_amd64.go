//go:build !purego

package md5lanes

import "golang.org/x/sys/cpu"

// kernels are those to use on this CPU, the one of fewest lanes first. With AVX-512 a step is four
// instructions that wait for each other, no more than in crypto/md5; with AVX2 it is six. Registers
// of 512 bits take as long for 8 lanes as for 16, and longer than those of 256 bits.
var kernels = func() []kernel {
	switch {
	case cpu.X86.HasAVX512F && cpu.X86.HasAVX512VL:
		return []kernel{{8, 1, avx512x8}, {16, 2, avx512x16}}
	case cpu.X86.HasAVX512F && cpu.X86.HasAVX2:
		return []kernel{{8, 2, avx2x8}, {16, 2, avx512x16}}
	case cpu.X86.HasAVX2:
		return []kernel{{8, 2, avx2x8}, {16, 2, avx2x16}}
	}
	return nil
}()

//go:noescape
func avx512x8(l *lanes, blocks int)

//go:noescape
func avx512x16(l *lanes, blocks int)

//go:noescape
func avx2x8(l *lanes, blocks int)

//go:noescape
func avx2x16(l *lanes, blocks int)
