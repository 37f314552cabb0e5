package md5lanes_test

import (
	"crypto/md5"
	"fmt"
	"hash"
	"sync"
	"testing"

	"github.com/gabion-storage/gabion/crypto/md5lanes"
)

const benchChunk = 1 << 20

// benchStreams hashes b.N chunks in each of n streams at once.
func benchStreams(b *testing.B, n int, stream func(chunk []byte, count int) error) {
	b.SetBytes(int64(n) * benchChunk)
	chunk := make([]byte, benchChunk)
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if err := stream(chunk, b.N); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
}

func BenchmarkHash(b *testing.B) {
	for _, n := range []int{1, 4, 16, 32} {
		b.Run(fmt.Sprintf("streams=%d/pool", n), func(b *testing.B) {
			pool := md5lanes.NewPool()
			benchStreams(b, n, func(chunk []byte, count int) error {
				h := pool.New()
				defer h.Close()
				for range count {
					if _, err := h.Write(chunk); err != nil {
						return err
					}
				}
				h.Sum()
				return nil
			})
		})
		b.Run(fmt.Sprintf("streams=%d/stdlib", n), func(b *testing.B) {
			benchStreams(b, n, func(chunk []byte, count int) error {
				var h hash.Hash = md5.New()
				for range count {
					if _, err := h.Write(chunk); err != nil {
						return err
					}
				}
				h.Sum(nil)
				return nil
			})
		})
	}
}
