package sha256pairs

import (
	"crypto/sha256"
	"encoding/binary"
)

// initial is the state of a message of which nothing has been hashed: FIPS 180-4, 5.3.3.
var initial = [8]uint32{
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
	0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
}

// A message is a hash under way. It implements hash.Hash.
type message struct {
	pool   *Pool
	state  [8]uint32
	length uint64                 // bytes written
	block  [sha256.BlockSize]byte // its first length%BlockSize bytes are not hashed yet

	rest   []byte        // whole blocks that are being hashed
	hashed chan struct{} // gets one token when another goroutine has hashed some of them
}

func (m *message) Reset()         { m.state, m.length = initial, 0 }
func (m *message) Size() int      { return sha256.Size }
func (m *message) BlockSize() int { return sha256.BlockSize }

func (m *message) Write(p []byte) (int, error) {
	written := len(p)
	if filled := m.filled(); filled > 0 {
		n := copy(m.block[filled:], p)
		p = p[n:]
		if filled+n == len(m.block) {
			hashOne(&m.state, &m.block[0], 1)
		}
	}
	m.length += uint64(written)
	switch blocks := p[:len(p)&^(sha256.BlockSize-1)]; {
	case len(blocks) > shortWrite:
		m.pool.hash(m, blocks)
	case len(blocks) > 0:
		hashOne(&m.state, &blocks[0], len(blocks)/sha256.BlockSize)
	}
	if len(p) > 0 {
		copy(m.block[:], p[len(p)&^(sha256.BlockSize-1):])
	}
	return written, nil
}

// filled is how many bytes wait for a whole block.
func (m *message) filled() int { return int(m.length % sha256.BlockSize) }

func (m *message) Sum(b []byte) []byte {
	end := append(make([]byte, 0, 2*sha256.BlockSize), m.block[:m.filled()]...)
	end = append(end, 0x80)
	for len(end)%sha256.BlockSize != sha256.BlockSize-8 {
		end = append(end, 0)
	}
	end = binary.BigEndian.AppendUint64(end, 8*m.length)
	state := m.state
	hashOne(&state, &end[0], len(end)/sha256.BlockSize)
	for _, word := range state {
		b = binary.BigEndian.AppendUint32(b, word)
	}
	return b
}
