package blake3lanes_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/zeebo/blake3"

	"github.com/gabion-storage/gabion/crypto/blake3lanes"
)

const (
	chunk = 1 << 10
	group = 256 * chunk
)

// needKernel skips a test where there is nothing to test.
func needKernel(t testing.TB) {
	t.Helper()
	if !blake3lanes.Available() {
		t.Skip("this CPU has no kernel")
	}
}

// sourceOf returns random numbers by the seed of the environment variable GABION_SEED, or a new one.
func sourceOf(t *testing.T) (*rand.ChaCha8, *rand.Rand) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("GABION_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("GABION_SEED: %v", err)
		}
		seed = n
	}
	t.Logf("replay with GABION_SEED=%d", seed)
	source := rand.NewChaCha8([32]byte(fmt.Appendf(nil, "%032d", seed)))
	return source, rand.New(source)
}

// The sizes are those around which the shape of the tree changes. The other implementation is held to
// the standard by package crypto, and so is this one there.
func TestSum(t *testing.T) {
	needKernel(t)
	source, rng := sourceOf(t)
	data := make([]byte, 9*group+chunk)
	source.Read(data)
	key := [32]byte(data)
	keyed, err := blake3.NewKeyed(key[:])
	if err != nil {
		t.Fatal(err)
	}
	whole := []int{16, 17, 18, 19, 31, 32, 33, 34, 47, 48, 49, 63, 64, 65, 127, 128, 129, 255, 256, 257, 272, 273}
	for groups := 2; groups <= 9; groups++ {
		whole = append(whole, 256*groups-1, 256*groups, 256*groups+1)
	}
	for _, chunks := range whole {
		for _, more := range []int{0, 1, 63, 64, 65, 512, chunk - 1, rng.IntN(chunk)} {
			n := min(chunks*chunk+more, len(data))
			p := data[len(data)-n:]
			if got, want := blake3lanes.Unkeyed().Sum(p), blake3.Sum256(p); got != want {
				t.Errorf("%d bytes: %x, want %x", n, got, want)
			}
			keyed.Reset()
			keyed.Write(p)
			if got, want := blake3lanes.NewKey(key).Sum(p), keyed.Sum(nil); !bytes.Equal(got[:], want) {
				t.Errorf("%d bytes, with a key: %x, want %x", n, got, want)
			}
		}
	}
}

// Each byte of a message counts.
func TestEveryByteCounts(t *testing.T) {
	needKernel(t)
	source, rng := sourceOf(t)
	data := make([]byte, 17*chunk+100)
	source.Read(data)
	sum := blake3lanes.Unkeyed().Sum(data)
	for i := range data {
		data[i] ^= 1 << rng.IntN(8)
		changed := blake3lanes.Unkeyed().Sum(data)
		if changed == sum {
			t.Fatalf("byte %d does not count", i)
		}
		sum = changed
	}
}

func TestAllocatesNothing(t *testing.T) {
	needKernel(t)
	data := make([]byte, group+5000)
	key := blake3lanes.NewKey([32]byte{1})
	if n := testing.AllocsPerRun(10, func() { key.Sum(data) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// What lies in a pool must not be somebody's content, or a key.
func TestForgets(t *testing.T) {
	needKernel(t)
	source, _ := sourceOf(t)
	for _, n := range []int{16 * chunk, 16*chunk + 100, 17*chunk - 1, group + 1, group + 5000} {
		data := make([]byte, n)
		source.Read(data)
		key := [32]byte(data[len(data)-32:])
		memory := blake3lanes.After(key, data)
		for i := 0; i+8 <= n; i++ {
			if bytes.Contains(memory, data[i:i+8]) {
				t.Fatalf("of %d bytes, those from %d on are still there", n, i)
			}
		}
	}
}

func BenchmarkSum(b *testing.B) {
	needKernel(b)
	for _, n := range []int{4 << 10, 8 << 10, 16 << 10, 64 << 10, 512 << 10, 1 << 20} {
		data := make([]byte, n)
		b.Run(fmt.Sprintf("size=%d/lanes", n), func(b *testing.B) {
			b.SetBytes(int64(n))
			for key := blake3lanes.Unkeyed(); b.Loop(); {
				key.Sum(data)
			}
		})
		b.Run(fmt.Sprintf("size=%d/zeebo", n), func(b *testing.B) {
			b.SetBytes(int64(n))
			for b.Loop() {
				blake3.Sum256(data)
			}
		})
	}
}
