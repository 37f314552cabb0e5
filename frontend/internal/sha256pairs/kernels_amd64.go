//go:build !purego

package sha256pairs

import (
	"crypto/fips140"

	"github.com/klauspost/cpuid/v2"
)

//go:generate go run kernels_gen.go

// supported says whether this CPU has what the kernels need, and the hashes need not be those of
// Go's FIPS 140 module.
var supported = cpuid.CPU.Supports(cpuid.SHA, cpuid.SSSE3, cpuid.SSE4) && !fips140.Enabled()

// hashOne hashes so many blocks, at least one, of a message that begin at p.
//
//go:noescape
func hashOne(first *[8]uint32, p *byte, blocks int)

// hashTwo hashes so many blocks of each of two messages.
//
//go:noescape
func hashTwo(first, second *[8]uint32, p, q *byte, blocks int)
