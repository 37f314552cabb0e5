// Package frame makes of a chunk what is stored of it, and the chunk of that again.
//
// A frame is:
//
//	| version 1 | flags 1 | zero 2 | plaintext size 4, big endian | body |
//
// The body is the plaintext; S2-compressed with flag 1; sealed by AES-256-GCM (nonce, ciphertext,
// tag) with flag 2; compressed and then sealed with both. The associated data of the seal is the
// header and the chunk's address, so that no frame can stand in for another.
package frame

import (
	"encoding/binary"
	"fmt"

	"github.com/klauspost/compress/s2"

	"github.com/gabion-storage/gabion/crypto"
)

const (
	version    = 1
	headerSize = 8

	flagCompressed = 1
	flagSealed     = 2
)

// A chunk whose frame is to be made lies in memory with room around it, so that the frame can be
// made in place:
//
//	| header 8 | nonce 12 | chunk | tag 16 |
const (
	// Headroom is how many bytes of the memory lie before the chunk.
	Headroom = headerSize + crypto.NonceSize

	// Tailroom is how many lie behind it.
	Tailroom = crypto.TagSize
)

// ScratchSize is how many bytes of scratch the frame of a chunk of n bytes needs while it is made.
func ScratchSize(n int) int { return s2.MaxEncodedLen(n) }

// Encode makes the frame of the chunk of n bytes that lies in mem after its Headroom. It does so in
// place: the frame lies in mem, and the plaintext is gone afterwards. Before the first byte of that
// changes, overwrite is called, which may wait for who still reads it; it may be called again. With
// pack the chunk is compressed if that makes it smaller.
func Encode(
	mem []byte, n int, addr crypto.Address, keys Keys, pack bool, scratch []byte, overwrite func(),
) ([]byte, error) {
	var flags byte
	body := mem[Headroom : Headroom+n]
	if pack && packs(body, scratch) {
		if packed := s2.Encode(scratch, body); len(packed) < len(body) {
			flags |= flagCompressed
			overwrite()
			body = body[:copy(body, packed)]
		}
	}
	if keys.Cipher == nil {
		header := mem[Headroom-headerSize : Headroom]
		putHeader(header, flags, n)
		return mem[Headroom-headerSize : Headroom+len(body)], nil
	}
	flags |= flagSealed
	overwrite()
	putHeader(mem, flags, n)
	sealed, err := keys.Cipher.Seal(
		mem[headerSize:Headroom+len(body)],
		associatedData(scratch[:0], mem, addr), // nobody needs what was packed there any more
	)
	if err != nil {
		return nil, err
	}
	return mem[:headerSize+len(sealed)], nil
}

// A chunk of at least sampledSize bytes is compressed only if a sample out of its middle becomes
// smaller by one part in sampleGain at least: of 1 MiB that hardly packs only 16 KiB are tried.
const (
	sampledSize = 256 << 10
	sampleSize  = 16 << 10
	sampleGain  = 64
)

// packs says whether it is worth while to compress a chunk.
func packs(chunk, scratch []byte) bool {
	if len(chunk) < sampledSize {
		return true
	}
	sample := chunk[(len(chunk)-sampleSize)/2:][:sampleSize]
	return len(s2.Encode(scratch, sample)) <= sampleSize-sampleSize/sampleGain
}

// putHeader writes a frame's header into dst.
func putHeader(dst []byte, flags byte, size int) {
	dst[0], dst[1], dst[2], dst[3] = version, flags, 0, 0
	binary.BigEndian.PutUint32(dst[4:], uint32(size))
}

// boundSize is how long the associated data of a seal is, in bytes.
const boundSize = headerSize + len(crypto.Address{})

// associatedData appends what a seal binds, header and address, to dst.
func associatedData(dst, header []byte, addr crypto.Address) []byte {
	return append(append(dst, header[:headerSize]...), addr[:]...)
}

// A Chunk is what a frame should hold, by what refers to it.
type Chunk struct {
	Address crypto.Address
	Size    int    // bytes
	CRC64   uint64 // CRC-64/XZ of the plaintext; not looked at if the chunk is sealed
}

// Decode returns the plaintext of a frame, verified: by its seal, which binds the address, or by
// its CRC-64. That is not the checksum that the chunk store made of the frame, so the two find what
// either misses. It is no proof against who can write the disk; see VerifyAddress. A chunk of
// another CRC-64 is accepted if its address is the one that is wanted, since that says more.
//
// Decode works in place, and uses room for what was compressed; the result lies in one of the two.
// Room that is too small is made anew, but not before the frame itself agrees that it holds so
// much.
func Decode(frame []byte, want Chunk, keys Keys, room *[]byte) ([]byte, error) {
	flags, err := checkHeader(frame, want.Size, keys.Cipher != nil)
	if err != nil {
		return nil, err
	}
	header, body := frame[:headerSize], frame[headerSize:]
	if keys.Cipher != nil {
		bound := associatedData(make([]byte, 0, boundSize), header, want.Address)
		if body, err = keys.Cipher.Open(body, bound); err != nil {
			return nil, err
		}
	}
	if flags&flagCompressed != 0 {
		if body, err = unpack(body, want.Size, room); err != nil {
			return nil, err
		}
	}
	if len(body) != want.Size {
		return nil, fmt.Errorf("the frame holds %d bytes, wanted are %d", len(body), want.Size)
	}
	if keys.Cipher != nil {
		return body, nil
	}
	if crypto.CRC64(0, body) == want.CRC64 {
		return body, nil
	}
	// If what refers to the chunk is wrong, and not the chunk, the address proves that.
	return body, VerifyAddress(body, want.Address, keys)
}

// VerifyAddress proves that a plaintext is the chunk of this address, which no one can make another
// one for. Of what is sealed the seal has proved it already.
func VerifyAddress(plain []byte, addr crypto.Address, keys Keys) error {
	if got := keys.AddressOf(plain); got != addr {
		return fmt.Errorf("the content has address %s", got)
	}
	return nil
}

// checkHeader returns the flags of a frame whose header says what is wanted.
func checkHeader(frame []byte, size int, sealed bool) (flags byte, err error) {
	if len(frame) < headerSize {
		return 0, fmt.Errorf("the frame has %d bytes, its header %d", len(frame), headerSize)
	}
	flags = frame[1]
	switch said := binary.BigEndian.Uint32(frame[4:]); {
	case frame[0] != version:
		return 0, fmt.Errorf("the frame has version %d, wanted is %d", frame[0], version)
	case flags&^(flagCompressed|flagSealed) != 0 || frame[2] != 0 || frame[3] != 0:
		return 0, fmt.Errorf(
			"the frame's flags are %x, known are %x", frame[1:4], flagCompressed|flagSealed,
		)
	case int64(said) != int64(size):
		return 0, fmt.Errorf("the frame is of %d bytes, wanted are %d", said, size)
	case flags&flagSealed != 0 != sealed:
		return 0, fmt.Errorf(
			"the frame is sealed: %t, wanted is %t", flags&flagSealed != 0, sealed,
		)
	}
	return flags, nil
}

// unpack decompresses the body of a frame into room.
func unpack(body []byte, size int, room *[]byte) ([]byte, error) {
	if n, err := s2.DecodedLen(body); err != nil || n != size {
		return nil, fmt.Errorf("the frame unpacks to %d bytes, wanted are %d (%v)", n, size, err)
	}
	if cap(*room) < size {
		*room = make([]byte, size)
	}
	plain, err := s2.Decode((*room)[:cap(*room)], body)
	if err != nil {
		return nil, fmt.Errorf("unpacking the frame: %w", err)
	}
	return plain, nil
}
