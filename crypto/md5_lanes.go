package crypto

import (
	"crypto/md5"
	"encoding"
	"encoding/binary"
	"hash"
	"sync"
)

// md5MaxLanes is the most messages that a kernel hashes at once.
const md5MaxLanes = 16

// md5Lanes is what a kernel works on. A kernel of fewer lanes than md5MaxLanes uses the first ones.
type md5Lanes struct {
	state [4][md5MaxLanes]uint32 // the words A, B, C and D of each message
	data  [md5MaxLanes]*byte     // where the next block of each message lies
	//lint:ignore U1000 only kernels use it
	words [64*md5MaxLanes + 64]byte // scratch: the message words, at the first multiple of 64
}

// An md5Kernel hashes blocks of several messages at once.
type md5Kernel struct {
	lanes int
	run   func(l *md5Lanes, blocks int) // hashes so many blocks, at least one, of each message
}

// The state that crypto/md5 exports is, with numbers in big endian:
//
//	| magic 4 | A 4 | B 4 | C 4 | D 4 | block not yet full 64 | length in bytes 8 |
//
// Later versions of Go must read what earlier ones wrote, so it does not change lightly;
// md5StateKnown looks nevertheless.
const (
	md5Magic     = "md5\x01"
	md5Words     = len(md5Magic)
	md5Length    = md5Words + md5.Size + md5.BlockSize
	md5StateSize = md5Length + 8
)

// stdMD5 is what crypto/md5 makes.
type stdMD5 interface {
	hash.Hash
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
}

// md5Member is a message being hashed: by crypto/md5 or in lanes, and it may change between them at
// the end of every block.
type md5Member struct {
	std     hash.Hash
	length  uint64 // bytes hashed
	inLanes bool   // words has the state, and std an earlier one; length is a multiple of a block
	words   [4]uint32
	rest    []byte // whole blocks to be hashed in crews
	verdict chan md5Verdict
	scratch [md5StateSize]byte
}

// done tells whether nothing is left to be hashed in crews.
func (m *md5Member) done() bool { return len(m.rest) == 0 }

// alone hashes p by crypto/md5, which fails only where FIPS 140 forbids MD5.
func (m *md5Member) alone(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	m.leaveLanes()
	if _, err := m.std.Write(p); err != nil {
		return err
	}
	m.length += uint64(len(p))
	return nil
}

// enterLanes moves the state to words. The length must be a multiple of a block.
func (m *md5Member) enterLanes() {
	if m.inLanes {
		return
	}
	state, err := m.std.(stdMD5).AppendBinary(m.scratch[:0])
	if err != nil || len(state) != md5StateSize {
		panic("crypto: crypto/md5 does not export its state") // md5StateKnown found that it does
	}
	for i := range m.words {
		m.words[i] = binary.BigEndian.Uint32(state[md5Words+4*i:])
	}
	m.inLanes = true
}

// leaveLanes moves the state back to std.
func (m *md5Member) leaveLanes() {
	if !m.inLanes {
		return
	}
	state := m.scratch[:]
	clear(state)
	copy(state, md5Magic)
	for i, word := range m.words {
		binary.BigEndian.PutUint32(state[md5Words+4*i:], word)
	}
	binary.BigEndian.PutUint64(state[md5Length:], m.length)
	if err := m.std.(stdMD5).UnmarshalBinary(state); err != nil {
		panic("crypto: crypto/md5 does not import its state: " + err.Error())
	}
	m.inLanes = false
}

// md5StateKnown tells whether crypto/md5 works, and exports and imports its state as we take it to.
var md5StateKnown = sync.OnceValue(func() bool {
	std, ok := md5.New().(stdMD5)
	if !ok {
		return false
	}
	if _, err := std.Write(make([]byte, md5.BlockSize)); err != nil {
		return false
	}
	state, err := std.AppendBinary(nil)
	if err != nil || len(state) != md5StateSize || string(state[:md5Words]) != md5Magic {
		return false
	}
	// All of the state that is not zero is where we look for it.
	there := md5Member{std: std, length: md5.BlockSize}
	there.enterLanes()
	back := md5Member{std: md5.New(), length: there.length, words: there.words, inLanes: true}
	if back.std.(stdMD5).UnmarshalBinary(state) != nil {
		return false
	}
	back.leaveLanes()
	again, err := back.std.(stdMD5).AppendBinary(nil)
	return err == nil && string(again) == string(state)
})
