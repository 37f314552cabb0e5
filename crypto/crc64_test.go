package crypto_test

import (
	"hash/crc64"
	"maps"
	"math/rand/v2"
	"slices"
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

// oracle is the table of the standard library, whose CRCs all kernels must return.
var oracle = crc64.MakeTable(crc64.ECMA)

type kernel = func(crc uint64, p []byte) uint64

// eachKernel runs f with every way to compute CRC64 that this CPU has, not only with the fastest.
func eachKernel(t *testing.T, f func(t *testing.T, kernel kernel)) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(crypto.CRC64Kernels)) {
		t.Run(name, func(t *testing.T) { f(t, crypto.CRC64Kernels[name]) })
	}
}

func TestCRC64OfAllLengthsAndAlignments(t *testing.T) {
	rng := rand.New(rand.NewPCG(seedOf(t), 0))
	data := randomBytes(rng, 1100+16)
	eachKernel(t, func(t *testing.T, kernel kernel) {
		for n := range 1101 {
			for at := range 16 {
				p, crc := data[at:at+n], rng.Uint64()
				if got, want := kernel(crc, p), crc64.Update(crc, oracle, p); got != want {
					t.Fatalf("of %d bytes from byte %d, %d before: %d, want %d", n, at, crc, got, want)
				}
			}
		}
	})
}

func TestCRC64OfLongInputs(t *testing.T) {
	rng := rand.New(rand.NewPCG(seedOf(t), 0))
	data := randomBytes(rng, 1<<20+4096)
	lengths := []int{1<<16 - 1, 1 << 16, 1<<16 + 1, 1<<20 - 1, 1 << 20, 1<<20 + 1}
	for range 20 {
		lengths = append(lengths, rng.IntN(len(data)-15))
	}
	eachKernel(t, func(t *testing.T, kernel kernel) {
		for _, n := range lengths {
			at, crc := rng.IntN(16), rng.Uint64()
			p := data[at : at+n]
			if got, want := kernel(crc, p), crc64.Update(crc, oracle, p); got != want {
				t.Errorf("of %d bytes from byte %d, %d before: %d, want %d", n, at, crc, got, want)
			}
		}
	})
}

func TestCRC64InPieces(t *testing.T) {
	rng := rand.New(rand.NewPCG(seedOf(t), 0))
	data := randomBytes(rng, 1<<16)
	eachKernel(t, func(t *testing.T, kernel kernel) {
		for range 200 {
			p, longest := data[:rng.IntN(len(data)+1)], 1+rng.IntN(5000)
			var got uint64
			for rest := p; len(rest) > 0; {
				n := min(rng.IntN(longest+1), len(rest))
				got = kernel(got, rest[:n])
				rest = rest[n:]
			}
			if want := crc64.Checksum(p, oracle); got != want {
				t.Fatalf("of %d bytes in pieces of up to %d: %d, want %d", len(p), longest, got, want)
			}
		}
	})
}

// A buffer on the stack must stay there.
func TestCRC64AllocatesNothing(t *testing.T) {
	n := testing.AllocsPerRun(100, func() {
		var p [1000]byte
		crypto.CRC64(0, p[:])
	})
	if n != 0 {
		t.Errorf("%g allocations", n)
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

func FuzzCRC64(f *testing.F) {
	f.Add([]byte("123456789"), uint64(0), uint16(4))
	f.Add(make([]byte, 1000), uint64(1), uint16(300))
	f.Fuzz(func(t *testing.T, data []byte, crc uint64, split uint16) {
		at := int(split) % (len(data) + 1)
		want := crc64.Update(crc, oracle, data)
		for name, kernel := range crypto.CRC64Kernels {
			if got := kernel(crc, data); got != want {
				t.Errorf("%s of %d bytes, %d before: %d, want %d", name, len(data), crc, got, want)
			}
			if got := kernel(kernel(crc, data[:at]), data[at:]); got != want {
				t.Errorf("%s of %d bytes split at %d, %d before: %d, want %d", name, len(data), at, crc, got, want)
			}
		}
	})
}

func FuzzCombineCRC64(f *testing.F) {
	f.Add([]byte("123456789"), 4)
	f.Fuzz(func(t *testing.T, data []byte, at int) {
		checkSplit(t, data, int(uint(at)%uint(len(data)+1)))
	})
}
