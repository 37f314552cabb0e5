//go:build !purego

package crypto

import (
	"hash/crc64"

	"golang.org/x/sys/cpu"
)

var hasPMULL = cpu.ARM64.HasPMULL

// updateCRC64 is CRC64 in the fastest way that the CPU has. What is short is left to the standard
// library: folding would not pay.
func updateCRC64(crc uint64, p []byte) uint64 {
	if hasPMULL {
		return crc64PMULL(crc, p)
	}
	return crc64.Update(crc, ecmaTable, p)
}

func crc64PMULL(crc uint64, p []byte) uint64 {
	if len(p) < 128 {
		return crc64.Update(crc, ecmaTable, p)
	}
	first, second := foldPMULL(^crc, p, &ecmaDistances)
	return finishFolding(first, second, p[len(p)&^15:])
}

// foldPMULL folds all of p but the last len(p)%16 bytes into two words, with the state of the CRC
// added before. The length is at least 128.
//
//go:noescape
func foldPMULL(state uint64, p []byte, by *distances) (first, second uint64)
