package crypto_test

import (
	"bytes"
	"encoding/hex"
	"hash"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/crypto"
)

var (
	algorithmsThatCombine = []crypto.ChecksumAlgorithm{crypto.CRC32, crypto.CRC32C, crypto.CRC64NVME}
	algorithms            = append(algorithmsThatCombine[:3:3], crypto.MD5, crypto.SHA1, crypto.SHA256,
		crypto.SHA512, crypto.XXHASH64, crypto.XXHASH3, crypto.XXHASH128)
	notAlgorithms = []crypto.ChecksumAlgorithm{"", "crc32", "CRC32 ", "CRC64", "MD4", "SHA384", "XXHASH32"}
)

func sumOf(a crypto.ChecksumAlgorithm, data []byte) []byte {
	h := a.New()
	_, _ = h.Write(data) // cannot fail
	return h.Sum(nil)
}

// mustPanic checks that f panics, and with a reason: a failed look into memory is an accident.
func mustPanic(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		reason := recover()
		if text, ok := reason.(string); !ok || !strings.HasPrefix(text, "crypto: ") {
			t.Errorf("%s panics with %v", what, reason)
		}
	}()
	f()
}

// The check values of the catalogues of CRCs, the examples of FIPS 180, and the test suite of RFC 1321.
func TestChecksumCheckValues(t *testing.T) {
	const twoBlocks = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"
	const twoLongBlocks = "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"
	for _, c := range []struct {
		algorithm crypto.ChecksumAlgorithm
		text, sum string
	}{
		{crypto.CRC32, "", "00000000"},
		{crypto.CRC32, "123456789", "cbf43926"},
		{crypto.CRC32C, "", "00000000"},
		{crypto.CRC32C, "123456789", "e3069283"},
		{crypto.CRC64NVME, "", "0000000000000000"},
		{crypto.CRC64NVME, "123456789", "ae8b14860a799888"},
		{crypto.MD5, "", "d41d8cd98f00b204e9800998ecf8427e"},
		{crypto.MD5, "message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
		{crypto.SHA1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
		{crypto.SHA1, twoBlocks, "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
		{crypto.SHA256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{crypto.SHA256, twoBlocks, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
		{crypto.SHA512, "abc", "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a" +
			"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
		{crypto.SHA512, twoLongBlocks, "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018" +
			"501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909"},
	} {
		if got := hex.EncodeToString(sumOf(c.algorithm, []byte(c.text))); got != c.sum {
			t.Errorf("%s of %q: %s, want %s", c.algorithm, c.text, got, c.sum)
		}
	}
}

// The test vectors that xxHash publishes (cli/xsum_sanity_check.c), those with the seed 0: of 64 bits the
// number, of 128 the high and then the low half, each in its canonical form, which is big-endian. They
// take every way that there is for a length, and several stripes and blocks of XXH3.
func TestChecksumVectorsOfXXHash(t *testing.T) {
	buffer := make([]byte, 2367)
	for i, x := 0, uint64(2654435761); i < len(buffer); i++ {
		buffer[i] = byte(x >> 56)
		x *= 11400714785074694797
	}
	for a, sums := range map[crypto.ChecksumAlgorithm]map[int]string{
		crypto.XXHASH64: {
			0: "ef46db3751d8e999", 1: "e934a84adb052768", 4: "9136a0dca57457ee", 14: "8282dcc4994e35c8",
			222: "b641ae8cb691c174",
		},
		crypto.XXHASH3: {
			0: "2d06800538d394c2", 1: "c44bdff4074eecdb", 6: "27b56a84cd2d7325", 12: "a713daf0dfbb77e7",
			24: "a3fe70bf9d3510eb", 48: "397da259ecba1f11", 80: "bcdefbbb2c47c90a", 195: "cd94217ee362ec3a",
			403: "cdeb804d65c6dea4", 512: "617e49599013cb6b", 2048: "dd59e2c3a5f038e0",
			2240: "6e73a90539cf2948", 2367: "cb37aeb9e5d361ed",
		},
		crypto.XXHASH128: {
			0: "99aa06d3014798d86001c324468d497f", 1: "a6cd5e9392000f6ac44bdff4074eecdb",
			6: "082afe0b8162d12a3e7039bdda43cfc6", 12: "6e3efd8fc7802b18061a192713f69ad9",
			24: "0ce966e4678d37611e7044d28b1b901d", 48: "a002ac4e5478227ef942219aed80f67b",
			81: "4952f58181ab00425e8bafb9f95fb803", 222: "337e09641b948717f1aebd597cec6b3a",
			403: "1b6de21e332dd73dcdeb804d65c6dea4", 512: "18d2d110dcc9bca1617e49599013cb6b",
			2048: "f736557fd47073a5dd59e2c3a5f038e0", 2240: "ccb134fbfa7ce49d6e73a90539cf2948",
			2367: "e89c0f6ff369b427cb37aeb9e5d361ed",
		},
	} {
		for n, want := range sums {
			if got := hex.EncodeToString(sumOf(a, buffer[:n])); got != want {
				t.Errorf("%s of %d bytes: %s, want %s", a, n, got, want)
			}
		}
	}
}

func TestChecksumAlgorithms(t *testing.T) {
	for i, a := range algorithms {
		if !a.Valid() || a.CanCombine() != (i < len(algorithmsThatCombine)) {
			t.Errorf("%s: valid %t, combines %t", a, a.Valid(), a.CanCombine())
		}
		if n := len(sumOf(a, nil)); n != a.Size() || a.New().Size() != n {
			t.Errorf("%s: a sum of %d bytes, Size is %d", a, n, a.Size())
		}
	}
	for _, a := range notAlgorithms {
		if a.Valid() || a.CanCombine() || a.Size() != 0 {
			t.Errorf("%q: valid %t, combines %t, size %d", a, a.Valid(), a.CanCombine(), a.Size())
		}
	}
}

func TestChecksumsAreSeparate(t *testing.T) {
	for _, a := range algorithms {
		hashes := []hash.Hash{a.New(), a.New()}
		for _, piece := range []string{"1234", "", "56789"} {
			_, _ = hashes[0].Write([]byte(piece))
		}
		if got, want := hashes[0].Sum(nil), sumOf(a, []byte("123456789")); !bytes.Equal(got, want) {
			t.Errorf("%s in pieces: %x, want %x", a, got, want)
		}
		if got, want := hashes[1].Sum(nil), sumOf(a, nil); !bytes.Equal(got, want) {
			t.Errorf("%s of nothing beside another: %x, want %x", a, got, want)
		}
	}
}

func checkChecksumSplit(t *testing.T, a crypto.ChecksumAlgorithm, data []byte, at int) {
	t.Helper()
	x, y, want := sumOf(a, data[:at]), sumOf(a, data[at:]), sumOf(a, data)
	if got := a.Combine(x, y, int64(len(data)-at)); !bytes.Equal(got, want) {
		t.Errorf("%s of %d bytes split at %d: %x, want %x", a, len(data), at, got, want)
	}
	if !bytes.Equal(x, sumOf(a, data[:at])) || !bytes.Equal(y, sumOf(a, data[at:])) {
		t.Errorf("%s of %d bytes split at %d: a sum was changed", a, len(data), at)
	}
}

func TestCombineChecksums(t *testing.T) {
	rng := rand.New(rand.NewPCG(seedOf(t), 0))
	for _, a := range algorithmsThatCombine {
		for _, n := range []int{0, 1, 2, 7, 8, 9, 63, 64, 65, 255, 256, 257, 4095, 4096, 4097, 1<<18 + 1} {
			data := randomBytes(rng, n)
			for _, at := range []int{0, min(1, n), n / 2, max(n-1, 0), n, rng.IntN(n + 1)} {
				checkChecksumSplit(t, a, data, at)
			}
		}
	}
}

// As TestCombineCRC64OfHugeLengths.
func TestCombineChecksumsOfHugeLengths(t *testing.T) {
	rng := rand.New(rand.NewPCG(seedOf(t), 0))
	for _, a := range algorithmsThatCombine {
		for range 500 {
			x, y, z := randomBytes(rng, a.Size()), randomBytes(rng, a.Size()), randomBytes(rng, a.Size())
			ny, nz := rng.Int64()>>(1+rng.IntN(62)), rng.Int64()>>(1+rng.IntN(62))
			left := a.Combine(a.Combine(x, y, ny), z, nz)
			right := a.Combine(x, a.Combine(y, z, nz), ny+nz)
			if !bytes.Equal(left, right) {
				t.Fatalf("%s: %x, %x of %d bytes, %x of %d bytes: %x and %x", a, x, y, ny, z, nz, left, right)
			}
		}
	}
}

func TestComposite(t *testing.T) {
	// Made by hand: the sums of 1234 and 56789 from gzip and sha256sum, as bytes one after the
	// other, through the same program again.
	for a, want := range map[crypto.ChecksumAlgorithm]string{
		crypto.CRC32:  "ac133007",
		crypto.SHA256: "6e74410538a57820d54252d3ffa7d9246aea71fdcedd7e86f240fc57bcd9ab14",
	} {
		got := a.Composite([][]byte{sumOf(a, []byte("1234")), sumOf(a, []byte("56789"))})
		if hex.EncodeToString(got) != want {
			t.Errorf("%s: %x, want %s", a, got, want)
		}
	}
	for _, a := range algorithms {
		one := sumOf(a, []byte("1234"))
		if got, want := a.Composite([][]byte{one}), sumOf(a, one); !bytes.Equal(got, want) {
			t.Errorf("%s of one part: %x, want %x", a, got, want)
		}
		if got, want := a.Composite(nil), sumOf(a, nil); !bytes.Equal(got, want) {
			t.Errorf("%s of no part: %x, want %x", a, got, want)
		}
	}
}

// A sum that means nothing must not be made up.
func TestChecksumPanics(t *testing.T) {
	for _, a := range algorithms {
		good, short, long := make([]byte, a.Size()), make([]byte, a.Size()-1), make([]byte, a.Size()+1)
		for _, bad := range [][]byte{nil, short, long} {
			mustPanic(t, string(a)+": a composite of a bad sum", func() { a.Composite([][]byte{good, bad}) })
			mustPanic(t, string(a)+": a bad first sum", func() { a.Combine(bad, good, 1) })
			mustPanic(t, string(a)+": a bad second sum", func() { a.Combine(good, bad, 1) })
		}
		mustPanic(t, string(a)+": a negative length", func() { a.Combine(good, good, -1) })
		if !a.CanCombine() {
			mustPanic(t, string(a)+": Combine", func() { a.Combine(good, good, 1) })
		}
	}
	for _, a := range notAlgorithms {
		mustPanic(t, string(a)+": New", func() { a.New() })
		mustPanic(t, string(a)+": Combine", func() { a.Combine(nil, nil, 0) })
		mustPanic(t, string(a)+": Composite", func() { a.Composite(nil) })
	}
	mustPanic(t, "CombineCRC64 of a negative length", func() { crypto.CombineCRC64(0, 0, -1) })
}

func FuzzCombineChecksums(f *testing.F) {
	f.Add([]byte("123456789"), 4)
	f.Fuzz(func(t *testing.T, data []byte, at int) {
		for _, a := range algorithmsThatCombine {
			checkChecksumSplit(t, a, data, int(uint(at)%uint(len(data)+1)))
		}
	})
}
