package crypto_test

import (
	"math/rand/v2"
	"testing"

	"github.com/gabion-storage/gabion/crypto"
)

const checkCRC64 = 11051210869376104954 // of "123456789", as the catalogues of CRCs give it

func TestCRC64CheckValues(t *testing.T) {
	if got := crypto.CRC64(0, nil); got != 0 {
		t.Errorf("of nothing: %d", got)
	}
	if got := crypto.CRC64(0, []byte("123456789")); got != checkCRC64 {
		t.Errorf("of the check text: %d", got)
	}
	if got := crypto.CRC64(crypto.CRC64(0, []byte("1234")), []byte("56789")); got != checkCRC64 {
		t.Errorf("of the check text in two steps: %d", got)
	}
}

func checkSplit(t *testing.T, data []byte, at int) {
	t.Helper()
	a, b := crypto.CRC64(0, data[:at]), crypto.CRC64(0, data[at:])
	want := crypto.CRC64(0, data)
	if got := crypto.CombineCRC64(a, b, int64(len(data)-at)); got != want {
		t.Errorf("%d bytes split at %d: %d, want %d", len(data), at, got, want)
	}
}

func TestCombineCRC64(t *testing.T) {
	seed := seedOf(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, n := range []int{0, 1, 2, 7, 8, 9, 63, 64, 65, 255, 256, 257, 4095, 4096, 4097, 1<<20 - 1, 1 << 20, 1<<20 + 1} {
		data := randomBytes(rng, n)
		for _, at := range []int{0, min(1, n), n / 2, max(n-1, 0), n, rng.IntN(n + 1)} {
			checkSplit(t, data, at)
		}
	}
}

// No text is long enough to try the high bits of the length. But appending C to AB and appending BC
// to A must agree, whatever the lengths.
func TestCombineCRC64OfHugeLengths(t *testing.T) {
	seed := seedOf(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		a, b, c := rng.Uint64(), rng.Uint64(), rng.Uint64()
		nb, nc := rng.Int64()>>(1+rng.IntN(62)), rng.Int64()>>(1+rng.IntN(62))
		left := crypto.CombineCRC64(crypto.CombineCRC64(a, b, nb), c, nc)
		right := crypto.CombineCRC64(a, crypto.CombineCRC64(b, c, nc), nb+nc)
		if left != right {
			t.Fatalf("%d, %d of %d bytes, %d of %d bytes: %d and %d", a, b, nb, c, nc, left, right)
		}
	}
}

func TestCombineCRC64AllocatesNothing(t *testing.T) {
	n := testing.AllocsPerRun(100, func() { crypto.CombineCRC64(1, 2, 1<<40+12345) })
	if n != 0 {
		t.Errorf("%g allocations", n)
	}
}

func FuzzCombineCRC64(f *testing.F) {
	f.Add([]byte("123456789"), 4)
	f.Fuzz(func(t *testing.T, data []byte, at int) {
		checkSplit(t, data, int(uint(at)%uint(len(data)+1)))
	})
}
