package crypto_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/gabion-storage/gabion/crypto"
)

func newCipher(t testing.TB) *crypto.Cipher {
	t.Helper()
	key, err := crypto.NewDataKey()
	if err != nil {
		t.Fatal(err)
	}
	c, err := crypto.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// sealed returns plaintext sealed in memory of its own.
func sealed(t testing.TB, c *crypto.Cipher, plaintext, aad []byte) []byte {
	t.Helper()
	frame, err := c.Seal(append(make([]byte, crypto.NonceSize), plaintext...), aad)
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

func refused(t testing.TB, what string, c *crypto.Cipher, frame, aad []byte) {
	t.Helper()
	plain, err := c.Open(frame, aad)
	if !errors.Is(err, crypto.ErrAuthentication) || plain != nil {
		t.Errorf("%s: opens to %d bytes, %v", what, len(plain), err)
	}
}

func TestSealAndOpen(t *testing.T) {
	c := newCipher(t)
	rng := rand.New(rand.NewPCG(seedOf(t), 0))
	aad := []byte("place")
	for _, size := range []int{0, 1, 15, 16, 17, 1023, 1024, 1025, 1<<20 - 1, 1 << 20, 1<<20 + 1} {
		plaintext := randomBytes(rng, size)
		for _, room := range []int{0, crypto.TagSize - 1, crypto.TagSize, 100} {
			buf := make([]byte, crypto.NonceSize+size, crypto.NonceSize+size+room)
			copy(buf[crypto.NonceSize:], plaintext)
			frame, err := c.Seal(buf, aad)
			if err != nil || len(frame) != size+crypto.SealOverhead {
				t.Fatalf("Seal of %d bytes: %d bytes, %v", size, len(frame), err)
			}
			if inPlace := &frame[0] == &buf[0]; inPlace != (room >= crypto.TagSize) {
				t.Errorf("%d bytes with room for %d: in place %t", size, room, inPlace)
			}
			if size >= 16 && bytes.Contains(frame, plaintext[:16]) {
				t.Errorf("%d bytes: plaintext in the frame", size)
			}
			start := &frame[0]
			got, err := c.Open(frame, aad)
			if err != nil || !bytes.Equal(got, plaintext) {
				t.Fatalf("Open of %d bytes: %d bytes, equal %t, %v", size, len(got), bytes.Equal(got, plaintext), err)
			}
			if size > 0 && (start != &frame[0] || &got[0] != &frame[crypto.NonceSize]) {
				t.Errorf("%d bytes: not opened in place", size)
			}
		}
	}
}

func TestSealNeedsRoomForNonce(t *testing.T) {
	c := newCipher(t)
	if _, err := c.Seal(make([]byte, crypto.NonceSize-1), nil); err == nil {
		t.Error("a buffer shorter than the nonce is sealed")
	}
}

func TestSealDrawsFreshNonces(t *testing.T) {
	c := newCipher(t)
	seen := make(map[string]bool)
	for range 1000 {
		nonce := string(sealed(t, c, []byte("same"), nil)[:crypto.NonceSize])
		if seen[nonce] {
			t.Fatalf("nonce %x twice", nonce)
		}
		seen[nonce] = true
	}
}

func TestOpenRefusesEveryFlippedBit(t *testing.T) {
	c := newCipher(t)
	aad := []byte("header and address")
	frame := sealed(t, c, []byte("a small chunk"), aad)
	eachFlip(frame, func(bit int, flipped []byte) {
		if _, err := c.Open(flipped, aad); !errors.Is(err, crypto.ErrAuthentication) {
			t.Errorf("bit %d of the frame: %v", bit, err)
		}
	})
	eachFlip(aad, func(bit int, flipped []byte) {
		if _, err := c.Open(bytes.Clone(frame), flipped); !errors.Is(err, crypto.ErrAuthentication) {
			t.Errorf("bit %d of the associated data: %v", bit, err)
		}
	})
}

func TestOpenRefusesWhatIsNotItsOwn(t *testing.T) {
	c := newCipher(t)
	aad := []byte("place")
	frame := sealed(t, c, []byte("a small chunk"), aad)
	refused(t, "another key", newCipher(t), bytes.Clone(frame), aad)
	refused(t, "no associated data", c, bytes.Clone(frame), nil)
	refused(t, "a byte more", c, append(bytes.Clone(frame), 0), aad)
	for n := range frame {
		refused(t, "a cut frame", c, bytes.Clone(frame[:n]), aad)
	}
}

func TestAddressesAreKeyed(t *testing.T) {
	a, b := newCipher(t), newCipher(t)
	for _, data := range [][]byte{nil, []byte("x"), make([]byte, 1024), make([]byte, 1<<20)} {
		got := map[crypto.Address]bool{crypto.AddressOf(data): true, a.AddressOf(data): true, b.AddressOf(data): true}
		if len(got) != 3 {
			t.Errorf("%d bytes: two of the addresses are equal", len(data))
		}
		if a.AddressOf(data) != a.AddressOf(bytes.Clone(data)) {
			t.Errorf("%d bytes: the address changes", len(data))
		}
	}
}

func TestCipherIsConcurrent(t *testing.T) {
	c := newCipher(t)
	want := c.AddressOf(make([]byte, 5000))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				frame := sealed(t, c, make([]byte, 5000), nil)
				plain, err := c.Open(frame, nil)
				if err != nil || c.AddressOf(plain) != want {
					t.Errorf("opened wrongly: %v", err)
				}
			}
		})
	}
	wg.Wait()
}

func FuzzOpen(f *testing.F) {
	c, err := crypto.NewCipher(secret) // fixed, so that a finding can be replayed
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{}, []byte{})
	f.Add(make([]byte, crypto.SealOverhead), []byte("aad"))
	f.Fuzz(func(t *testing.T, frame, aad []byte) {
		refused(t, "made up", c, bytes.Clone(frame), aad) // a clone: the input must stay as it is
	})
}
