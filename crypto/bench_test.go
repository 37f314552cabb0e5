package crypto_test

import (
	"fmt"
	"hash/crc64"
	"maps"
	"slices"
	"testing"

	"github.com/gabion-storage/gabion/crypto"
)

const benchChunk = 1 << 20

func BenchmarkAddressOf(b *testing.B) {
	chunk := make([]byte, benchChunk)
	for name, f := range map[string]func([]byte) crypto.Address{
		"unkeyed": crypto.AddressOf,
		"keyed":   newCipher(b).AddressOf,
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(benchChunk)
			for b.Loop() {
				f(chunk)
			}
		})
	}
}

func BenchmarkCRC64(b *testing.B) {
	kernels := maps.Clone(crypto.CRC64Kernels)
	kernels["stdlib"] = func(crc uint64, p []byte) uint64 { return crc64.Update(crc, oracle, p) }
	for _, size := range []int{64, 256, 1 << 10, 4 << 10, 64 << 10, benchChunk} {
		p := make([]byte, size)
		for _, name := range slices.Sorted(maps.Keys(kernels)) {
			b.Run(fmt.Sprintf("size=%d/%s", size, name), func(b *testing.B) {
				b.SetBytes(int64(size))
				for b.Loop() {
					kernels[name](0, p)
				}
			})
		}
	}
}

func BenchmarkCombineCRC64(b *testing.B) {
	for name, n := range map[string]int64{"1MiB": 1 << 20, "1MiB-1": 1<<20 - 1, "5GiB-1": 5<<30 - 1} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				crypto.CombineCRC64(checkCRC64, checkCRC64, n)
			}
		})
	}
}

func BenchmarkChecksum(b *testing.B) {
	for _, a := range algorithms {
		b.Run(string(a), func(b *testing.B) {
			chunk := make([]byte, benchChunk)
			h := a.New()
			b.SetBytes(benchChunk)
			for b.Loop() {
				_, _ = h.Write(chunk)
			}
		})
	}
}

func BenchmarkSeal(b *testing.B) {
	c := newCipher(b)
	buf := make([]byte, crypto.NonceSize+benchChunk, crypto.SealOverhead+benchChunk)
	aad := make([]byte, 40)
	b.SetBytes(benchChunk)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Seal(buf, aad); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	c := newCipher(b)
	aad := make([]byte, 40)
	frame := sealed(b, c, make([]byte, benchChunk), aad)
	work := make([]byte, len(frame))
	b.SetBytes(benchChunk)
	b.ReportAllocs()
	for b.Loop() {
		copy(work, frame) // opening is in place and would spoil it
		if _, err := c.Open(work, aad); err != nil {
			b.Fatal(err)
		}
	}
}
