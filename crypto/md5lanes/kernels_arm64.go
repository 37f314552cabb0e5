//go:build !purego

package md5lanes

// kernels are those to use: every arm64 CPU has NEON. The slowdowns are those of CPUs with two
// vector units, computed and not measured: see the package comment. With four units both are little
// more than 2.
var kernels = []kernel{{8, 3, neonx8}, {16, 4, neonx16}}

//go:noescape
func neonx8(l *lanes, blocks int)

//go:noescape
func neonx16(l *lanes, blocks int)
