package crypto_test

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"testing"

	"github.com/gabion-storage/gabion/crypto"
)

// Of the vectors that BLAKE3's authors publish (test_vectors.json), the first 32 bytes of the hash
// and of the keyed hash, for some lengths of their input. All others follow from them: they hold
// the reference to the standard, which all else is compared with.
var blake3Vectors = []struct {
	size        int
	hash, keyed string
}{
	{
		0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
		"92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26",
	},
	{
		1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213",
		"6d7878dfff2f485635d39013278ae14f1454b8c0a3a2d34bc1ab38228a80c95b",
	},
	{
		1023, "10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11",
		"c951ecdf03288d0fcc96ee3413563d8a6d3589547f2c2fb36d9786470f1b9d6e",
	},
	{
		1024, "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7",
		"75c46f6f3d9eb4f55ecaaee480db732e6c2105546f1e675003687c31719c7ba4",
	},
	{
		1025, "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444",
		"357dc55de0c7e382c900fd6e320acc04146be01db6a8ce7210b7189bd664ea69",
	},
	{
		3073, "7124b49501012f81cc7f11ca069ec9226cecb8a2c850cfe644e327d22d3e1cd3",
		"68dede9bef00ba89e43f31a6825f4cf433389fedae75c04ee9f0cf16a427c95a",
	},
	{
		31744, "62b6960e1a44bcc1eb1a611a8d6235b6b4b78f32e7abc4fb4c6cdcce94895c47",
		"efa53b389ab67c593dba624d898d0f7353ab99e4ac9d42302ee64cbf9939a419",
	},
}

func TestReferenceBLAKE3(t *testing.T) {
	key := []byte("whats the Elvish word for friend")
	for _, v := range blake3Vectors {
		data := pattern(v.size)
		if got := referenceBLAKE3(nil, data); hex.EncodeToString(got[:]) != v.hash {
			t.Errorf("%d bytes: %x, want %s", v.size, got, v.hash)
		}
		if got := referenceBLAKE3(key, data); hex.EncodeToString(got[:]) != v.keyed {
			t.Errorf("%d bytes, with a key: %x, want %s", v.size, got, v.keyed)
		}
	}
}

// The sizes are those around which the shape of the tree changes, and with it what is compressed in
// which lanes.
func TestAddressIsBLAKE3(t *testing.T) {
	rng := rand.New(rand.NewPCG(seedOf(t), 0))
	sizes := []int{63, 64, 65}
	for chunks := range 34 {
		n := chunks * blake3Chunk
		sizes = append(sizes, max(0, n-1), n, n+1, n+64, n+65)
	}
	for _, chunks := range []int{63, 64, 65, 72, 73, 127, 128, 129, 255, 256, 257} {
		n := chunks * blake3Chunk
		sizes = append(sizes, n-1, n, n+1)
	}
	data := randomBytes(rng, 258*blake3Chunk)
	key := randomBytes(rng, 32)
	for _, n := range sizes {
		p := data[rng.IntN(64):][:n]
		if got, want := crypto.AddressOf(p), crypto.Address(referenceBLAKE3(nil, p)); got != want {
			t.Errorf("%d bytes: %s, want %s", n, got, want)
		}
		got, want := crypto.KeyedBLAKE3([32]byte(key), p), referenceBLAKE3(key, p)
		if got != want {
			t.Errorf("%d bytes, with a key: %x, want %x", n, got, want)
		}
	}
}

func TestAddressAllocatesNothing(t *testing.T) {
	data := make([]byte, 1<<20+5000)
	cipher := newCipher(t)
	for name, f := range map[string]func([]byte) crypto.Address{
		"unkeyed": crypto.AddressOf, "keyed": cipher.AddressOf,
	} {
		if n := testing.AllocsPerRun(10, func() { f(data) }); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// What lies in a pool must not be somebody's content.
func TestBLAKE3Forgets(t *testing.T) {
	rng := rand.New(rand.NewPCG(seedOf(t), 0))
	for _, n := range []int{16, 1000, 1024, 5000, 8191, 8192, 8193, 12345, 16384, 20000} {
		data := randomBytes(rng, n)
		memory := crypto.AfterBLAKE3(data)
		for i := 0; i+8 <= n; i += 8 {
			if bytes.Contains(memory, data[i:i+8]) {
				t.Fatalf("of %d bytes, those from %d on are still there", n, i)
			}
		}
	}
}

// Different goroutines use one cipher at once.
func TestAddressesAtOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(seedOf(t), 0))
	cipher := newCipher(t)
	chunks := make([][]byte, 16)
	want := make([]crypto.Address, len(chunks))
	for i := range chunks {
		chunks[i] = randomBytes(rng, rng.IntN(40_000))
		want[i] = cipher.AddressOf(chunks[i])
	}
	done := make(chan [2]int)
	for range 4 {
		go func() {
			for i, chunk := range chunks {
				if cipher.AddressOf(chunk) != want[i] {
					done <- [2]int{i, 1}
					return
				}
			}
			done <- [2]int{}
		}()
	}
	for range 4 {
		if failed := <-done; failed[1] != 0 {
			t.Errorf("chunk %d has another address among others", failed[0])
		}
	}
}
