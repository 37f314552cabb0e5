// Package blake3lanes computes BLAKE3-256 of long messages in lanes of SIMD registers.
//
// BLAKE3 is a tree. Its leaves are chunks of 1 KiB, which do not depend on each other, so one
// instruction does the same step for 16 of them, each in its own lane of a register of 512 bits; and
// so it does for the nodes above. AVX-512 has instructions that rotate, and as many registers as the
// state and the message have words together.
//
// In MB/s, on one core of an Intel Xeon (Sapphire Rapids), beside github.com/zeebo/blake3, which has
// AVX2, and by which shorter messages are hashed, as are all where there is no AVX-512:
//
//	            4 KiB   8 KiB   16 KiB   64 KiB   512 KiB   1 MiB
//	this         1540    2830     5420     6090      6320    5920
//	zeebo's      1860    3360     3570     3750      3670    3730
//
// Eight lanes of AVX2 by the same generator were no faster than zeebo's: 3840 MB/s of 512 KiB there, and
// 3940 to 3860 on an AMD EPYC (Zen 3).
//
// The build tag purego leaves the kernel out. kernels_gen.go writes its assembly (go generate). The
// runtime cannot interrupt it while it compresses 16 chunks, which takes some microseconds. Nothing
// outside the message is read.
package blake3lanes
