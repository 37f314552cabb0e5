package frame_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine/internal/frame"
)

// allKeys are one of each kind.
func allKeys(t *testing.T) map[string]frame.Keys {
	t.Helper()
	cipher, err := crypto.NewCipher(crypto.DataKey{1})
	if err != nil {
		t.Fatal(err)
	}
	scope, err := crypto.NewScope([16]byte{1}, [16]byte{2})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]frame.Keys{"plain": {}, "scoped": {Scope: scope}, "sealed": {Cipher: cipher}}
}

// TestFrames makes frames of chunks that pack and that do not, and opens them again. The plaintext
// must be whole when overwrite is called first, since digests may be reading it until that returns,
// and stay whole if it never is.
func TestFrames(t *testing.T) {
	noise := make([]byte, 10_000)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	for kind, keys := range allKeys(t) {
		for name, content := range map[string][]byte{
			"text": bytes.Repeat([]byte("text "), 2000), "noise": noise,
		} {
			for _, n := range []int{0, 1, 7, 4095, len(content)} {
				t.Run(fmt.Sprint(kind, " ", name, " ", n), func(t *testing.T) {
					testFrame(t, keys, content[:n])
				})
			}
		}
	}
}

func testFrame(t *testing.T, keys frame.Keys, chunk []byte) {
	n := len(chunk)
	mem := make([]byte, frame.Headroom+n+frame.Tailroom)
	plaintext := mem[frame.Headroom : frame.Headroom+n]
	copy(plaintext, chunk)
	addr, calls := keys.AddressOf(chunk), 0
	made, err := frame.Encode(mem, n, addr, keys, true, make([]byte, frame.ScratchSize(n)), func() {
		if calls++; calls == 1 && !bytes.Equal(plaintext, chunk) {
			t.Error("the plaintext has changed before overwrite was called")
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if calls == 0 && !bytes.Equal(plaintext, chunk) {
		t.Error("the plaintext has changed, and overwrite was not called")
	}
	if keys.Cipher != nil && calls == 0 {
		t.Error("a chunk was sealed in place without calling overwrite")
	}
	var room []byte
	want := frame.Chunk{Address: addr, Size: n, CRC64: crypto.CRC64(0, chunk)}
	got, err := frame.Decode(bytes.Clone(made), want, keys, &room)
	if err != nil || !bytes.Equal(got, chunk) {
		t.Fatalf("decoded are %d bytes, %v; want the %d of the chunk", len(got), err, n)
	}
	decode := func(made []byte, addr crypto.Address, n int, keys frame.Keys) error {
		return decode(made, frame.Chunk{Address: addr, Size: n, CRC64: want.CRC64}, keys)
	}
	for what, err := range map[string]error{
		"of another size":     decode(made, addr, n+1, keys),
		"under another":       decode(made, crypto.Address{1}, n, keys),
		"that is cut off":     decode(made[:len(made)-1], addr, n, keys),
		"without a header":    decode(made[:4], addr, n, keys),
		"of another version":  decode(changed(made, 0), addr, n, keys),
		"with unknown flags":  decode(changed(made, 2), addr, n, keys),
		"with a changed tail": decode(changed(made, len(made)-1), addr, n, keys),
	} {
		if err == nil {
			t.Errorf("a frame %s is accepted", what)
		}
	}
}

// decode decodes a frame and verifies the address of what was not sealed.
func decode(made []byte, want frame.Chunk, keys frame.Keys) error {
	var room []byte
	plain, err := frame.Decode(bytes.Clone(made), want, keys, &room)
	if err != nil || keys.Cipher != nil {
		return err
	}
	return frame.VerifyAddress(plain, want.Address, keys)
}

// TestEitherSum opens frames of which one sum is wrong. A right CRC-64 is enough for Decode, since
// the chunk store has one of its own, and a right address says more.
func TestEitherSum(t *testing.T) {
	chunk, other := []byte("a chunk"), []byte("another")
	var keys frame.Keys
	made := frameOf(t, chunk, keys)
	right := frame.Chunk{
		Address: keys.AddressOf(chunk), Size: len(chunk), CRC64: crypto.CRC64(0, chunk),
	}
	open := func(address, crc bool) error {
		want, room := right, []byte(nil)
		if !address {
			want.Address = keys.AddressOf(other)
		}
		if !crc {
			want.CRC64++
		}
		_, err := frame.Decode(bytes.Clone(made), want, keys, &room)
		return err
	}
	if err := open(true, false); err != nil {
		t.Errorf("of another CRC-64 and this address: %v", err)
	}
	if err := open(false, true); err != nil {
		t.Errorf("of this CRC-64: %v", err)
	}
	if err := open(false, false); err == nil {
		t.Error("a chunk of which both sums are wrong is accepted")
	}
	if err := frame.VerifyAddress(other, right.Address, keys); err == nil {
		t.Error("another chunk has the address")
	}
}

// frameOf makes the frame of a chunk.
func frameOf(t *testing.T, chunk []byte, keys frame.Keys) []byte {
	t.Helper()
	mem := make([]byte, frame.Headroom+len(chunk)+frame.Tailroom)
	copy(mem[frame.Headroom:], chunk)
	addr, scratch := keys.AddressOf(chunk), make([]byte, frame.ScratchSize(len(chunk)))
	made, err := frame.Encode(mem, len(chunk), addr, keys, true, scratch, func() {})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// changed is the frame with one byte changed.
func changed(made []byte, at int) []byte {
	made = bytes.Clone(made)
	made[at] ^= 0x80
	return made
}

// TestKeysOfAnother opens frames with keys of another kind.
func TestKeysOfAnother(t *testing.T) {
	chunk := []byte("chunk")
	all := allKeys(t)
	for made, keys := range all {
		f := frameOf(t, chunk, keys)
		want := frame.Chunk{
			Address: keys.AddressOf(chunk), Size: len(chunk), CRC64: crypto.CRC64(0, chunk),
		}
		for opened, others := range all {
			if err := decode(f, want, others); (err == nil) != (made == opened) {
				t.Errorf("a %s frame opened as %s: %v", made, opened, err)
			}
		}
	}
}

// TestWhatIsPacked makes frames of chunks large enough for a sample, and of small ones.
func TestWhatIsPacked(t *testing.T) {
	const large = 256 << 10
	noise := make([]byte, large)
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	text := bytes.Repeat([]byte("text "), large/5+1)[:large]
	between := bytes.Clone(noise) // packs at both ends, and not in the middle
	copy(between[:large/4], text)
	copy(between[3*large/4:], text)
	for name, test := range map[string]struct {
		chunk        []byte
		pack, packed bool
	}{
		"text":                    {text, true, true},
		"noise":                   {noise, true, false},
		"noise between text":      {between, true, false},
		"a smaller one":           {between[:large-1], true, true},
		"text that is left alone": {text, false, false},
		"a little text, likewise": {text[:100], false, false},
		"a little text":           {text[:100], true, true},
		"nothing":                 {nil, true, false},
	} {
		mem := make([]byte, frame.Headroom+len(test.chunk)+frame.Tailroom)
		copy(mem[frame.Headroom:], test.chunk)
		scratch := make([]byte, frame.ScratchSize(len(test.chunk)))
		made, err := frame.Encode(
			mem, len(test.chunk), crypto.Address{}, frame.Keys{}, test.pack, scratch, func() {},
		)
		if err != nil {
			t.Fatal(err)
		}
		if packed := len(made) < len(test.chunk); packed != test.packed {
			t.Errorf("%s: %d bytes become %d", name, len(test.chunk), len(made))
		}
	}
}
