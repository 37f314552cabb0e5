package crypto_test

import (
	"crypto/md5"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/crypto"
)

// newPool returns a pool that is closed at the end of the test, which then has as many goroutines as
// at its start.
func newPool(t *testing.T) *crypto.MD5Pool {
	before := runtime.NumGoroutine()
	pool := crypto.NewMD5Pool()
	t.Cleanup(func() {
		pool.Close()
		deadline := time.Now().Add(5 * time.Second)
		for runtime.NumGoroutine() > before {
			if time.Now().After(deadline) {
				t.Fatalf("%d goroutines after Close, %d before the pool", runtime.NumGoroutine(), before)
			}
			time.Sleep(time.Millisecond)
		}
	})
	return pool
}

// start makes n hashes, so that all are in flight at once.
func start(pool *crypto.MD5Pool, n int) []*crypto.MD5 {
	hashes := make([]*crypto.MD5, n)
	for i := range hashes {
		hashes[i] = pool.New()
	}
	return hashes
}

// feed writes data to h in random pieces, each through the same buffer, which it spoils afterwards.
func feed(h *crypto.MD5, data []byte, rng *rand.Rand) error {
	limit := 1 << rng.IntN(17)
	buf := make([]byte, limit)
	for len(data) > 0 {
		piece := buf[:copy(buf, data[:min(len(data), rng.IntN(limit+1))])]
		if n, err := h.Write(piece); n != len(piece) || err != nil {
			return fmt.Errorf("Write of %d bytes: %d, %v", len(piece), n, err)
		}
		data = data[len(piece):]
		clear(piece)
	}
	return nil
}

func TestMD5MatchesStandardLibrary(t *testing.T) {
	seed := seedOf(t)
	for _, streams := range []int{1, 7, 8, 9, 16, 17, 24, 40} {
		t.Run(fmt.Sprint(streams), func(t *testing.T) {
			pool := newPool(t)
			// Later rounds use lanes that earlier ones have used, some of them without Sum.
			for round := range uint64(3) {
				var wg sync.WaitGroup
				for i, h := range start(pool, streams) {
					wg.Go(func() {
						defer h.Close()
						rng := rand.New(rand.NewPCG(seed, uint64(i)<<8|round))
						data := randomBytes(rng, rng.IntN(1<<rng.IntN(18)))
						if err := feed(h, data, rng); err != nil {
							t.Error(err)
						}
						if rng.IntN(4) == 0 {
							return
						}
						if got, want := h.Sum(), md5.Sum(data); got != want {
							t.Errorf("round %d, stream %d, %d bytes: %x, want %x", round, i, len(data), got, want)
						}
					})
				}
				wg.Wait()
			}
		})
	}
}

func TestMD5OfBoundarySizes(t *testing.T) {
	pool := newPool(t)
	busy := start(pool, 8) // so that the next hash takes a lane
	data := randomBytes(rand.New(rand.NewPCG(1, 2)), 1<<17)
	for _, size := range []int{0, 1, 55, 56, 57, 63, 64, 65, 127, 128, 129, 1<<15 - 1, 1 << 15, 1<<15 + 1, 1 << 17} {
		for _, split := range []int{0, 1, 63, 64, 65} {
			h := pool.New()
			split = min(split, size)
			for _, piece := range [][]byte{data[:split], data[split:size]} {
				if _, err := h.Write(piece); err != nil {
					t.Fatal(err)
				}
			}
			if got, want := h.Sum(), md5.Sum(data[:size]); got != want {
				t.Errorf("%d bytes split at %d: %x, want %x", size, split, got, want)
			}
		}
	}
	for _, h := range busy {
		h.Close()
	}
}

// More writers than the lanes have buffers, all in the middle of a block, must not wait for each other.
func TestMD5ManyWritersDoNotBlock(t *testing.T) {
	pool := newPool(t)
	data := make([]byte, 1+128*100)
	want := md5.Sum(data)
	begin := make(chan struct{})
	done := make(chan [16]byte)
	hashes := start(pool, 300)
	for _, h := range hashes {
		go func() {
			<-begin
			_, _ = h.Write(data[:1])
			for p := data[1:]; len(p) > 0; p = p[128:] {
				_, _ = h.Write(p[:128])
			}
			done <- h.Sum()
		}()
	}
	close(begin)
	timeout := time.After(20 * time.Second)
	for i := range hashes {
		select {
		case got := <-done:
			if got != want {
				t.Errorf("%x, want %x", got, want)
			}
		case <-timeout:
			t.Fatalf("%d of %d writers do not end", len(hashes)-i, len(hashes))
		}
	}
}

func TestMD5EndsOnce(t *testing.T) {
	pool := newPool(t)
	for i, h := range start(pool, 12) {
		if _, err := h.Write([]byte("abc")); err != nil {
			t.Fatal(err)
		}
		first := h.Sum()
		if again := h.Sum(); again != first || first != md5.Sum([]byte("abc")) {
			t.Errorf("hash %d: Sum is %x, then %x", i, first, again)
		}
		h.Close()
		h.Close()
		if _, err := h.Write([]byte("d")); err == nil {
			t.Errorf("hash %d: Write after Sum succeeds", i)
		}
	}
	abandoned := pool.New()
	abandoned.Close()
	defer func() {
		if recover() == nil {
			t.Error("Sum after Close made up a digest")
		}
	}()
	abandoned.Sum()
}

func TestMD5OutlivesPool(t *testing.T) {
	pool := newPool(t)
	data := make([]byte, 100_000)
	hashes := start(pool, 20)
	for _, h := range hashes {
		if _, err := h.Write(data[:50_001]); err != nil {
			t.Fatal(err)
		}
	}
	pool.Close()
	pool.Close()
	hashes = append(hashes, pool.New())
	if _, err := hashes[20].Write(data[:50_001]); err != nil {
		t.Fatal(err)
	}
	want := md5.Sum(data)
	for i, h := range hashes {
		if _, err := h.Write(data[50_001:]); err != nil {
			t.Fatal(err)
		}
		if got := h.Sum(); got != want {
			t.Errorf("hash %d: %x, want %x", i, got, want)
		}
	}
}
