//go:build !purego

package crypto

import "golang.org/x/sys/cpu"

//go:generate go run md5_gen.go -out md5_amd64.s

// md5Kernels are those to use on this CPU, the one of fewest lanes first. While 8 lanes suffice, AVX2
// is faster than AVX-512, which takes as long for 8 as for 16.
var md5Kernels = func() []md5Kernel {
	switch {
	case cpu.X86.HasAVX512F && cpu.X86.HasAVX2:
		return []md5Kernel{{8, md5AVX2x8}, {16, md5AVX512x16}}
	case cpu.X86.HasAVX2:
		return []md5Kernel{{8, md5AVX2x8}, {16, md5AVX2x16}}
	}
	return nil
}()

//go:noescape
func md5AVX512x16(l *md5Lanes, blocks int)

//go:noescape
func md5AVX2x8(l *md5Lanes, blocks int)

//go:noescape
func md5AVX2x16(l *md5Lanes, blocks int)
