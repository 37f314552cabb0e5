//go:build !purego

package crypto

import (
	"hash/crc64"

	"golang.org/x/sys/cpu"
)

// VPCLMULQDQ multiplies in wider registers. CPUs that have it and not AVX-512 are many (AMD's Zen
// 3, Intel's for desktops), but package cpu tells of it only together with AVX-512.
var (
	hasPCLMULQDQ = cpu.X86.HasPCLMULQDQ
	hasAVX2      = hasPCLMULQDQ && cpu.X86.HasAVX2 && featuresOfLeaf7()&(1<<10) != 0
	hasAVX512    = hasPCLMULQDQ && cpu.X86.HasAVX512F && cpu.X86.HasAVX512VPCLMULQDQ
)

// updateCRC64 is CRC64 in the fastest way that the CPU has. What is short is left to the standard
// library: folding would not pay.
func updateCRC64(crc uint64, p []byte) uint64 {
	switch {
	case hasAVX512:
		return crc64AVX512(crc, p)
	case hasAVX2:
		return crc64AVX2(crc, p)
	case hasPCLMULQDQ:
		return crc64PCLMULQDQ(crc, p)
	}
	return crc64.Update(crc, ecmaTable, p)
}

func crc64AVX512(crc uint64, p []byte) uint64 {
	if len(p) < 256 {
		return crc64PCLMULQDQ(crc, p)
	}
	first, second := foldAVX512(^crc, p, &ecmaDistances)
	return finishFolding(first, second, p[len(p)&^15:])
}

func crc64AVX2(crc uint64, p []byte) uint64 {
	if len(p) < 256 {
		return crc64PCLMULQDQ(crc, p)
	}
	first, second := foldAVX2(^crc, p, &ecmaDistances)
	return finishFolding(first, second, p[len(p)&^15:])
}

func crc64PCLMULQDQ(crc uint64, p []byte) uint64 {
	if len(p) < 128 {
		return crc64.Update(crc, ecmaTable, p)
	}
	first, second := foldPCLMULQDQ(^crc, p, &ecmaDistances)
	return finishFolding(first, second, p[len(p)&^15:])
}

// foldPCLMULQDQ folds all of p but the last len(p)%16 bytes into two words, with the state of the
// CRC added before. The length is at least 128.
//
//go:noescape
func foldPCLMULQDQ(state uint64, p []byte, by *distances) (first, second uint64)

// foldAVX2 is foldPCLMULQDQ with VPCLMULQDQ in registers of 256 bits. The length is at least 256.
//
//go:noescape
func foldAVX2(state uint64, p []byte, by *distances) (first, second uint64)

// foldAVX512 is foldPCLMULQDQ with VPCLMULQDQ in registers of 512 bits. The length is at least 256.
//
//go:noescape
func foldAVX512(state uint64, p []byte, by *distances) (first, second uint64)

// featuresOfLeaf7 returns ECX of leaf 7 of CPUID, which CPUs with AVX2 have. Bit 10 is VPCLMULQDQ.
func featuresOfLeaf7() uint32
