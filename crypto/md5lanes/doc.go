// Package md5lanes computes MD5 of many messages at once, in lanes of SIMD registers.
//
// MD5 of one message is a chain: each step needs the result of the one before, so no instruction
// makes it faster. But one instruction does the same step for 4, 8 or 16 messages, each in its own
// lane of a vector register, and the instructions of two or four registers fit between each other.
// So 8 or 16 messages take twice the time of a single one, with AVX-512 8 of them little more than
// that time, and on some CPUs with NEON up to four times. A [Pool] is the set of messages that may
// share lanes; a [Hash] is one message. The digests are those of crypto/md5.
//
// # Crews and leaders
//
// The pool has no goroutines. A Write is hashed on the goroutine of whoever calls it, or on that of
// another caller, which has room in its lanes:
//
//   - As long as there are no more Writes under way than processors, each goroutine hashes its own,
//     by crypto/md5.
//   - Further Writes wait in a queue. A goroutine that hashes is a leader: at the end of each slice
//     of 16 KiB it takes those that wait into lanes beside its own message. They are its crew.
//   - A leader whose Write is done returns, and the next of its crew leads the others.
//   - From twice as many Writes as processors on (with AVX-512 as many, on arm64 three times), lanes
//     are no slower than all processors would be by crypto/md5. Then no more goroutines lead than
//     the messages need lanes for, and the other processors are left to other work.
//   - A crew that is too small for lanes to pay, of one (on arm64 of two), is hashed by crypto/md5, a
//     slice of each in turn.
//
// So nobody waits for messages that may not come, and the lanes are as full as there are messages.
//
// # Kernels
//
//	CPU                 8 lanes   16 lanes
//	amd64 with AVX-512  AVX-512   AVX-512; the 8 lanes in registers of 256 bits
//	amd64 with AVX2     AVX2      AVX2, two sets of 8 in turns
//	arm64               NEON, two and four sets of 4 in turns
//	others              none: every Write goes to crypto/md5
//
// NEON's were tested under an emulator, and measured nowhere. What llvm-mca 19 computes from LLVM's
// schedules of these CPUs, in cycles for a block of 64 bytes of every message:
//
//	                     Neoverse N1       V1       V2   Cortex-A57   Cortex-A55
//	crypto/md5                   305      305      305          351          793
//	8 lanes                      731      646      627         1060         1954
//	16 lanes                    1193      709      703         1271         3494
//
// The build tag purego leaves the kernels out. kernels_gen.go writes their assembly (go generate).
//
// A message moves between crypto/md5 and lanes at the ends of its blocks of 64 bytes, through the
// state that crypto/md5 exports. A pool looks first whether that state is as this package takes it
// to be, and where it is not, uses no lanes.
//
// # Promises and limits
//
//   - The digest is that of crypto/md5 for every division into Writes, whoever hashes beside it.
//   - A Write ends though no other stream goes on: none depends on another one's next Write.
//   - What is written may be reused as soon as Write returns; nothing is kept.
//   - Nothing outside the message is read.
//   - A Write of at most 2 KiB, and the bytes before the first and after the last whole block, are
//     always hashed alone. Streams that write little at a time gain nothing.
//   - One stream alone is as fast as crypto/md5, not faster.
//   - Lanes read side by side. Where the messages of all 16 begin at the same place of a page, their
//     lines compete for the same few places in the CPU's caches: 4860 instead of 6870 MB/s on an AMD
//     EPYC (Zen 3, AVX2, the best of 60 runs over 512 KiB each). Buffers some 100 bytes apart do not.
//   - A kernel runs for at most 16 KiB of each message; the runtime cannot interrupt it meanwhile.
//   - Write fails after Sum or Close, and where FIPS 140 forbids MD5.
//
// MD5 withstands no attacker: two messages of one digest are easy to make. It is here because it is
// the ETag of OSS and S3.
//
// # Concurrency
//
// A Pool is safe for concurrent use and needs no end. A Hash is used by one goroutine at a time,
// and closed in any case: the pool counts those in flight.
//
// # Why not md5-simd
//
// github.com/minio/md5-simd is the yardstick of `go run ./bench hash`, and not the hasher. It hands
// every Write to goroutines of a server, which collects messages for its lanes; whoever writes
// waits for it. On 2 CPUs (AMD EPYC with AVX-512, see bench/results), all streams together, in
// MB/s:
//
//	hashes of 64 MiB, streams     1      2      4      8     16     32     64
//	this package                791   1427   2279   4180   6448  13482  13167
//	crypto/md5                  801   1382   1593   1558   1591   1574   1556
//	md5-simd                    692    876   1206   2105   2386   2522   2120
//
//	hashes of 100 KiB, streams    1      2      4      8     16     32     64
//	this package                791   1566   1982   3541   5490  12809  12979
//	crypto/md5                  799   1581   1573   1538   1548   1590   1593
//	md5-simd                    323    342    300    405    404    561    320
//
// Up to 4 streams of 64 MiB md5-simd is slower than crypto/md5, and with hashes of 100 KiB always.
// It can also block for ever when many streams write in the middle of a block, as the parts of an
// upload do; TestManyWritersDoNotBlock is that case.
package md5lanes
