package frame

import (
	"bytes"
	"testing"

	"github.com/gabion-storage/gabion/crypto"
)

// frameOf makes the frame of a chunk. cipher is nil for one without encryption.
func frameOf(f *testing.F, chunk []byte, cipher *crypto.Cipher) []byte {
	f.Helper()
	mem, scratch := make([]byte, Headroom+len(chunk)+Tailroom), make([]byte, ScratchSize(len(chunk)))
	copy(mem[Headroom:], chunk)
	keys := Keys{Cipher: cipher}
	frame, err := Encode(mem, len(chunk), keys.AddressOf(chunk), keys, true, scratch, func() {})
	if err != nil {
		f.Fatal(err)
	}
	return frame
}

// FuzzFrame decodes any bytes as a frame, and seals any body as one, since nothing else gets behind
// a seal. What is accepted has the checksum or the seal, and the size that were wanted, and the
// memory for it is no larger than that.
func FuzzFrame(f *testing.F) {
	cipher, err := crypto.NewCipher(crypto.DataKey{})
	if err != nil {
		f.Fatal(err)
	}
	text, noise := bytes.Repeat([]byte("text "), 2000), []byte("\x17\xa3\x00\xff")
	for _, chunk := range [][]byte{nil, noise, text} {
		plain := frameOf(f, chunk, nil)
		f.Add(plain, uint16(len(chunk)), false)
		f.Add(plain, uint16(len(chunk)), true)
		f.Add(plain, uint16(len(chunk)+1), true)
		f.Add(plain[:len(plain)-1], uint16(len(chunk)), true)
		f.Add(frameOf(f, chunk, cipher), uint16(len(chunk)), false)
	}
	f.Fuzz(func(t *testing.T, frame []byte, wanted uint16, seal bool) {
		decode := func(frame []byte, want Chunk, keys Keys) ([]byte, error) {
			var room []byte
			want.Size = int(wanted)
			plain, err := Decode(bytes.Clone(frame), want, keys, &room)
			if cap(room) > want.Size || err == nil && len(plain) != want.Size {
				t.Errorf(
					"%x: %d bytes in a room of %d, wanted are %d", frame, len(plain), cap(room),
					want.Size,
				)
			}
			return plain, err
		}
		if seal {
			if len(frame) < headerSize {
				return
			}
			addr := crypto.Address{1}
			header := bytes.Clone(frame[:headerSize])
			header[1] |= flagSealed
			body := append(make([]byte, crypto.NonceSize), frame[headerSize:]...)
			sealed, err := cipher.Seal(body, associatedData(nil, header, addr))
			if err != nil {
				t.Fatal(err)
			}
			frame = append(header, sealed...)
			// Whether it is one is decode's to say.
			_, _ = decode(frame, Chunk{Address: addr}, Keys{Cipher: cipher})
			other := Chunk{Address: crypto.Address{2}}
			if _, err := decode(frame, other, Keys{Cipher: cipher}); err == nil {
				t.Errorf("%x is accepted under another address", frame)
			}
			return
		}
		// Without encryption the sums have to be those of the content, which is in the body, packed
		// or not.
		var chunks []Chunk
		add := func(content []byte) {
			addr := crypto.AddressOf(content)
			chunks = append(
				chunks, Chunk{Address: addr, CRC64: crypto.CRC64(0, content)}, Chunk{Address: addr},
			)
		}
		for _, content := range [][]byte{frame, text, noise, nil} {
			add(content)
			if len(content) >= headerSize {
				add(content[headerSize:])
			}
		}
		for _, want := range chunks {
			plain, err := decode(frame, want, Keys{})
			if err == nil && crypto.CRC64(0, plain) != want.CRC64 &&
				crypto.AddressOf(plain) != want.Address {
				t.Errorf("%x is accepted as chunk %+v", frame, want)
			}
			plain, err = decode(frame, want, Keys{Cipher: cipher})
			if err == nil && cipher.AddressOf(plain) != want.Address {
				t.Errorf("%x, which nobody has sealed, is accepted as chunk %s", frame, want.Address)
			}
		}
	})
}
