package engine

import (
	"encoding/binary"
	"fmt"

	"github.com/klauspost/compress/s2"

	"github.com/gabion-storage/gabion/crypto"
)

// A frame is what the chunk store keeps of one chunk:
//
//	| version 1 | flags 1 | zero 2 | plaintext size 4, big endian | body |
//
// The body is the plaintext; S2-compressed with flag 1; sealed by AES-256-GCM (nonce, ciphertext,
// tag) with flag 2; compressed and then sealed with both. The associated data of the seal is the
// header and the chunk's address, so that no frame can stand in for another.
const (
	frameVersion    = 1
	frameHeaderSize = 8

	flagCompressed = 1
	flagSealed     = 2
)

// encodeFrame makes the frame of the chunk in b, in place; the plaintext is gone afterwards.
// scratch has room for the compressed form.
func encodeFrame(
	b *buffer, addr crypto.Address, cipher *crypto.Cipher, scratch []byte,
) ([]byte, error) {
	var flags byte
	body := b.chunk()
	if packed := s2.Encode(scratch, body); len(packed) < len(body) {
		flags |= flagCompressed
		b.settle()
		body = body[:copy(body, packed)]
	}
	if cipher == nil {
		header := b.mem[headroom-frameHeaderSize : headroom]
		putHeader(header, flags, b.n)
		return b.mem[headroom-frameHeaderSize : headroom+len(body)], nil
	}
	flags |= flagSealed
	b.settle()
	putHeader(b.mem, flags, b.n)
	sealed, err := cipher.Seal(
		b.mem[frameHeaderSize:headroom+len(body)], associatedData(b.bound[:0], b.mem, addr),
	)
	if err != nil {
		return nil, err
	}
	return b.mem[:frameHeaderSize+len(sealed)], nil
}

// putHeader writes a frame's header into dst.
func putHeader(dst []byte, flags byte, rawSize int) {
	dst[0], dst[1], dst[2], dst[3] = frameVersion, flags, 0, 0
	binary.BigEndian.PutUint32(dst[4:], uint32(rawSize))
}

// boundSize is how long the associated data of a seal is, in bytes.
const boundSize = frameHeaderSize + len(crypto.Address{})

// associatedData appends what a seal binds, header and address, to dst.
func associatedData(dst, header []byte, addr crypto.Address) []byte {
	return append(append(dst, header[:frameHeaderSize]...), addr[:]...)
}

// decodeFrame returns the plaintext of a frame, verified: it is the chunk with this address, of
// this size. It works in place, and uses room for what was compressed; the result lies in one of
// the two. Room that is too small is made anew, but not before the frame itself agrees that it
// holds so much.
func decodeFrame(
	frame []byte, addr crypto.Address, size int, keys chunkKeys, room *[]byte,
) ([]byte, error) {
	cipher := keys.cipher
	if len(frame) < frameHeaderSize {
		return nil, fmt.Errorf("the frame has %d bytes, its header %d", len(frame), frameHeaderSize)
	}
	header, body := frame[:frameHeaderSize], frame[frameHeaderSize:]
	flags := header[1]
	switch rawSize := binary.BigEndian.Uint32(header[4:]); {
	case header[0] != frameVersion:
		return nil, fmt.Errorf("the frame has version %d, wanted is %d", header[0], frameVersion)
	case flags&^(flagCompressed|flagSealed) != 0 || header[2] != 0 || header[3] != 0:
		return nil, fmt.Errorf(
			"the frame's flags are %x, known are %x", header[1:4], flagCompressed|flagSealed,
		)
	case int64(rawSize) != int64(size):
		return nil, fmt.Errorf("the frame is of %d bytes, wanted are %d", rawSize, size)
	case flags&flagSealed != 0 != (cipher != nil):
		return nil, fmt.Errorf(
			"the frame is sealed: %t, wanted is %t", flags&flagSealed != 0, cipher != nil,
		)
	}
	if cipher != nil {
		var err error
		if body, err = cipher.Open(body, associatedData(make([]byte, 0, boundSize), header, addr)); err != nil {
			return nil, err
		}
	}
	if flags&flagCompressed != 0 {
		if n, err := s2.DecodedLen(body); err != nil || n != size {
			return nil, fmt.Errorf(
				"the frame unpacks to %d bytes, wanted are %d (%v)", n, size, err,
			)
		}
		if cap(*room) < size {
			*room = make([]byte, size)
		}
		var err error
		if body, err = s2.Decode((*room)[:cap(*room)], body); err != nil {
			return nil, fmt.Errorf("unpacking the frame: %w", err)
		}
	}
	if len(body) != size {
		return nil, fmt.Errorf("the frame holds %d bytes, wanted are %d", len(body), size)
	}
	// A seal binds the address already. Without one, only the address tells the chunk from others.
	if cipher == nil {
		if got := keys.addressOf(body); got != addr {
			return nil, fmt.Errorf("the content has address %s", got)
		}
	}
	return body, nil
}
