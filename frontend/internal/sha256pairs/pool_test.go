package sha256pairs_test

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/gabion-storage/gabion/frontend/internal/sha256pairs"
)

func random(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// TestEveryLength: the digest is that of crypto/sha256, however a message is divided.
func TestEveryLength(t *testing.T) {
	var pool sha256pairs.Pool
	text := random(rand.New(rand.NewPCG(1, 2)), 400<<10)
	for _, n := range []int{
		0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 2047, 2048, 2112, 2113, 64 << 10, 64<<10 + 1,
		len(text),
	} {
		want := sha256.Sum256(text[:n])
		for _, piece := range []int{1, 7, 64, 100, 5000, len(text)} {
			h := pool.New()
			for rest := text[:n]; len(rest) > 0; rest = rest[min(piece, len(rest)):] {
				h.Write(rest[:min(piece, len(rest))])
			}
			if got := h.Sum(nil); !bytes.Equal(got, want[:]) {
				t.Fatalf("%d bytes by %d: %x, not %x", n, piece, got, want)
			}
		}
	}
}

// TestHash: it behaves as hashes do.
func TestHash(t *testing.T) {
	var pool sha256pairs.Pool
	h := pool.New()
	if h.Size() != sha256.Size || h.BlockSize() != sha256.BlockSize {
		t.Errorf("size %d, block %d", h.Size(), h.BlockSize())
	}
	io.WriteString(h, "one")
	first := h.Sum([]byte("prefix"))
	if again := h.Sum([]byte("prefix")); !bytes.Equal(first, again) {
		t.Error("Sum has changed what it sums")
	}
	want := sha256.Sum256([]byte("one"))
	if !bytes.Equal(first, append([]byte("prefix"), want[:]...)) {
		t.Errorf("Sum is %x", first)
	}
	h.Reset()
	if want := sha256.Sum256(nil); !bytes.Equal(h.Sum(nil), want[:]) {
		t.Error("after Reset it is not that of nothing")
	}
}

// TestTogether hashes many messages at once, of all lengths and in pieces of all lengths.
func TestTogether(t *testing.T) {
	var pool sha256pairs.Pool
	var writers sync.WaitGroup
	for i := range 20 {
		writers.Go(func() {
			r := rand.New(rand.NewPCG(3, uint64(i)))
			for range 10 {
				text := random(r, r.IntN(1<<20))
				want := sha256.Sum256(text)
				h := pool.New()
				writePieces(h, text, r)
				if got := h.Sum(nil); !bytes.Equal(got, want[:]) {
					t.Errorf("%d bytes: %x, not %x", len(text), got, want)
				}
			}
		})
	}
	writers.Wait()
}

func writePieces(h hash.Hash, text []byte, r *rand.Rand) {
	for len(text) > 0 {
		n := min(len(text), 1+r.IntN(150<<10))
		h.Write(text[:n])
		text = text[n:]
	}
}

// TestPairs: of two messages that meet, each gets its own digest, whichever is longer.
func TestPairs(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, sizes := range [][2]int{
		{4096, 4096}, {4096, 64 << 10}, {64 << 10, 4096}, {64, 200 << 10}, {200 << 10, 190 << 10},
	} {
		var pool sha256pairs.Pool
		first, second := pool.New(), pool.New()
		a, b := random(r, sizes[0]), random(r, sizes[1])
		sha256pairs.WriteTogether(t, &pool, first, second, a, b)
		for h, text := range map[hash.Hash][]byte{first: a, second: b} {
			if want := sha256.Sum256(text); !bytes.Equal(h.Sum(nil), want[:]) {
				t.Errorf("of %d and %d bytes, the digest of %d is wrong", len(a), len(b), len(text))
			}
		}
	}
}

// TestAssemblyIsCurrent: the assembly is what its generator writes.
func TestAssemblyIsCurrent(t *testing.T) {
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip(err)
	}
	fresh := filepath.Join(t.TempDir(), "fresh.s")
	out, err := exec.Command(tool, "run", "kernels_gen.go", "-o", fresh).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want, err := os.ReadFile(fresh)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile("kernels_amd64.s"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("kernels_amd64.s is not what the generator writes, %v: run go generate", err)
	}
}

func BenchmarkTogether(b *testing.B) {
	const size = 1 << 20
	for name, newHash := range map[string]func() hash.Hash{
		"pairs": new(sha256pairs.Pool).New, "crypto/sha256": sha256.New,
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			b.SetParallelism(4)
			b.RunParallel(func(each *testing.PB) {
				h, text := newHash(), make([]byte, size)
				for each.Next() {
					h.Write(text)
				}
			})
		})
	}
}
