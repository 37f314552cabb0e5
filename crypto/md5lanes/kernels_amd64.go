//go:build !purego

package md5lanes

import "golang.org/x/sys/cpu"

// kernels are those to use on this CPU, the one of fewest lanes first. While 8 lanes suffice, AVX2
// is faster than AVX-512, which takes as long for 8 as for 16. Either takes at most twice as long as
// crypto/md5.
var kernels = func() []kernel {
	switch {
	case cpu.X86.HasAVX512F && cpu.X86.HasAVX2:
		return []kernel{{8, 2, avx2x8}, {16, 2, avx512x16}}
	case cpu.X86.HasAVX2:
		return []kernel{{8, 2, avx2x8}, {16, 2, avx2x16}}
	}
	return nil
}()

//go:noescape
func avx512x16(l *lanes, blocks int)

//go:noescape
func avx2x8(l *lanes, blocks int)

//go:noescape
func avx2x16(l *lanes, blocks int)
