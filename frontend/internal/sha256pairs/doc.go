// Package sha256pairs computes SHA-256, of two messages at once where that is faster.
//
// The instructions that x86 has for SHA-256 take two rounds in four cycles, and can begin every
// two: what one message leaves idle is enough for a second. Two hashed side by side take as long as
// one (AMD EPYC, Zen 4: 1.72 GB/s alone, 3.37 GB/s together). Where they can begin every three it is
// less (Intel Sapphire Rapids: 1.78 and 2.29 GB/s; the rounds alone, without the schedule, 2.5, so
// that to compute the schedule by AVX-512 would gain little), and what pairs save, meeting costs.
//
// A [Pool] is the set of messages that may be hashed together. It has no goroutines: who writes
// first to a message offers what he writes, and lets other goroutines run; the next who writes
// hashes both. So nobody waits for a message that may not come, and there are pairs when the
// processors are busy, which is when they count.
//
// Elsewhere, in FIPS 140 mode, and with the build tag purego, the hashes are those of
// crypto/sha256. kernels_gen.go writes the assembly (go generate).
package sha256pairs
