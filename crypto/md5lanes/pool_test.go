package md5lanes_test

import (
	"crypto/md5"
	"encoding"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"runtime"
	"runtime/trace"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/crypto/md5lanes"
)

// guardPool looks that at the end of the test the pool is at rest and has left no goroutine.
func guardPool(t *testing.T, pool *md5lanes.Pool) *md5lanes.Pool {
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		if !pool.AtRest() {
			t.Error("the pool is not at rest")
		}
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

// eachPool runs a test with the pool as it is, with pools of one kernel each, and with one of none.
func eachPool(t *testing.T, test func(t *testing.T, pool *md5lanes.Pool)) {
	t.Run("default", func(t *testing.T) { test(t, guardPool(t, md5lanes.NewPool())) })
	t.Run("none", func(t *testing.T) { test(t, guardPool(t, md5lanes.NewPoolWith())) })
	for _, name := range slices.Sorted(maps.Keys(md5lanes.Kernels)) {
		t.Run(name, func(t *testing.T) {
			test(t, guardPool(t, md5lanes.NewPoolWith(md5lanes.Kernels[name])))
		})
	}
}

// setProcessors sets how many processors there are, until the end of the test.
func setProcessors(t testing.TB, n int) {
	before := runtime.GOMAXPROCS(n)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
}

// start makes n hashes, so that all are in flight at once.
func start(pool *md5lanes.Pool, n int) []*md5lanes.Hash {
	hashes := make([]*md5lanes.Hash, n)
	for i := range hashes {
		hashes[i] = pool.New()
	}
	return hashes
}

// feed writes data to h in random pieces, each through the same buffer, which it spoils afterwards.
func feed(h *md5lanes.Hash, data []byte, rng *rand.Rand) error {
	limit := 1 << (5 + rng.IntN(14))
	buf := make([]byte, limit)
	for len(data) > 0 {
		piece := buf[:copy(buf, data[:min(len(data), rng.IntN(limit+1))])]
		if n, err := h.Write(piece); n != len(piece) || err != nil {
			return fmt.Errorf("Write of %d bytes: %d, %v", len(piece), n, err)
		}
		data = data[len(piece):]
		clear(piece)
		if limit >= md5lanes.Short && rng.IntN(20) == 0 {
			time.Sleep(time.Duration(rng.IntN(300)) * time.Microsecond)
		}
	}
	return nil
}

// stateOf returns the words of the state of crypto/md5 after whole blocks.
func stateOf(t *testing.T, blocks []byte) (words [4]uint32) {
	h := md5.New()
	h.Write(blocks)
	state, err := h.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	for i := range words {
		words[i] = binary.BigEndian.Uint32(state[4+4*i:])
	}
	return words
}

func TestStateOfStandardLibrary(t *testing.T) {
	if !md5lanes.StateKnown() {
		t.Error("crypto/md5 does not export its state as expected: there are no lanes")
	}
}

func TestKernels(t *testing.T) {
	rng := rand.New(rand.NewPCG(seedOf(t), 0))
	for name, kernel := range md5lanes.Kernels {
		t.Run(name, func(t *testing.T) {
			for _, blocks := range []int{1, 2, 3, 17} {
				states, messages := make([][4]uint32, kernel.Width()), make([][]byte, kernel.Width())
				begin := md5.BlockSize * rng.IntN(3)
				whole := make([][]byte, kernel.Width())
				for i := range messages {
					shift := rng.IntN(65)
					whole[i] = randomBytes(rng, shift+begin+blocks*md5.BlockSize)[shift:]
					messages[i] = whole[i][begin:]
					states[i] = stateOf(t, whole[i][:begin])
				}
				kernel.Run(states, messages)
				for i := range states {
					if want := stateOf(t, whole[i]); states[i] != want {
						t.Errorf("%d blocks after %d bytes, lane %d: %08x, want %08x",
							blocks, begin, i, states[i], want)
					}
				}
			}
		})
	}
}

func TestMatchesStandardLibrary(t *testing.T) {
	seed := seedOf(t)
	for _, processors := range []int{1, 2, 5} {
		for _, streams := range []int{1, 2, 3, 7, 8, 9, 17, 40} {
			t.Run(fmt.Sprintf("processors=%d,streams=%d", processors, streams), func(t *testing.T) {
				setProcessors(t, processors)
				eachPool(t, func(t *testing.T, pool *md5lanes.Pool) { matchStandard(t, pool, streams, seed) })
			})
		}
	}
}

// matchStandard hashes as many messages at once as there are streams, some of them without Sum, and
// then others.
func matchStandard(t *testing.T, pool *md5lanes.Pool, streams int, seed uint64) {
	for round := range uint64(2) {
		var wg sync.WaitGroup
		for i, h := range start(pool, streams) {
			wg.Go(func() {
				defer h.Close()
				rng := rand.New(rand.NewPCG(seed, uint64(i)<<8|round))
				data := randomBytes(rng, rng.IntN(1<<rng.IntN(19)))
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
}

// boundarySizes are those around the ends of blocks, slices and turns.
func boundarySizes() (sizes []int) {
	for size := range 261 {
		sizes = append(sizes, size)
	}
	const short, slice, turn = md5lanes.Short, md5lanes.Slice, md5lanes.Turn
	for _, size := range []int{short, slice, 2 * slice, 1 << 17, turn} {
		sizes = append(sizes, size-64, size-1, size, size+1, size+63, size+64)
	}
	return sizes
}

func TestOfBoundarySizes(t *testing.T) {
	data := randomBytes(rand.New(rand.NewPCG(1, 2)), md5lanes.Turn+64)
	sizes := boundarySizes()
	want := make([][16]byte, len(sizes))
	for i, size := range sizes {
		want[i] = md5.Sum(data[:size])
	}
	eachPool(t, func(t *testing.T, pool *md5lanes.Pool) {
		for _, split := range []int{0, 1, 63, 64, 65} {
			var wg sync.WaitGroup
			for i, size := range sizes {
				wg.Go(func() {
					h := pool.New()
					defer h.Close()
					split := min(split, size)
					for _, piece := range [][]byte{data[:split], data[split:size]} {
						if _, err := h.Write(piece); err != nil {
							t.Error(err)
						}
					}
					if got := h.Sum(); got != want[i] {
						t.Errorf("%d bytes split at %d: %x, want %x", size, split, got, want[i])
					}
				})
			}
			wg.Wait()
		}
	})
}

// A Write ends though no other stream goes on, on one processor, too.
func TestWaitsForNobody(t *testing.T) {
	setProcessors(t, 1)
	eachPool(t, func(t *testing.T, pool *md5lanes.Pool) {
		data := make([]byte, 3*md5lanes.Turn)
		idle := start(pool, 20)
		for _, h := range idle {
			if _, err := h.Write(data[:100_000]); err != nil {
				t.Fatal(err)
			}
		}
		h := pool.New()
		if _, err := h.Write(data); err != nil {
			t.Fatal(err)
		}
		if got, want := h.Sum(), md5.Sum(data); got != want {
			t.Errorf("%x, want %x", got, want)
		}
		for _, h := range idle {
			h.Close()
		}
	})
}

// Very many writers, all in the middle of a block, must not wait for each other.
func TestManyWritersDoNotBlock(t *testing.T) {
	pool := guardPool(t, md5lanes.NewPool())
	const step = md5lanes.Short + 64
	data := make([]byte, 1+step*100)
	want := md5.Sum(data)
	begin := make(chan struct{})
	done := make(chan [16]byte)
	hashes := start(pool, 300)
	for _, h := range hashes {
		go func() {
			<-begin
			_, _ = h.Write(data[:1])
			for p := data[1:]; len(p) > 0; p = p[step:] {
				_, _ = h.Write(p[:step])
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

func TestEndsOnce(t *testing.T) {
	pool := guardPool(t, md5lanes.NewPool())
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

// The tracer walks the stack by frame pointers, and would crash if a kernel did not keep them.
func TestUnderTrace(t *testing.T) {
	if trace.IsEnabled() {
		t.Skip("the test itself is traced")
	}
	eachPool(t, func(t *testing.T, pool *md5lanes.Pool) {
		if err := trace.Start(io.Discard); err != nil {
			t.Fatal(err)
		}
		defer trace.Stop()
		matchStandard(t, pool, 24, 1)
	})
}

// FuzzHash lets as many streams as there are bytes in plan hash prefixes of data, in Writes of
// sizes that the bytes tell.
func FuzzHash(f *testing.F) {
	f.Add([]byte("abc"), uint16(1), []byte{1})
	f.Add([]byte("a longer text"), uint16(5000), []byte{0, 1, 63, 64, 65, 127, 128, 200, 255})
	f.Fuzz(func(t *testing.T, text []byte, repeats uint16, plan []byte) {
		data := slices.Repeat(text, int(repeats)%(1+(1<<18)/(1+len(text))))
		for name, kernel := range md5lanes.Kernels {
			pool := md5lanes.NewPoolWith(kernel)
			var wg sync.WaitGroup
			for i, step := range plan[:min(len(plan), 40)] {
				wg.Go(func() {
					message := data[:len(data)-min(len(data), i)]
					h := pool.New()
					for p := message; len(p) > 0; {
						n := min(len(p), 1+int(step)*129)
						_, _ = h.Write(p[:n])
						p = p[n:]
					}
					if got, want := h.Sum(), md5.Sum(message); got != want {
						t.Errorf("%s, stream %d: %x, want %x", name, i, got, want)
					}
				})
			}
			wg.Wait()
		}
	})
}
