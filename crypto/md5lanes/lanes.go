package md5lanes

import (
	"crypto/md5"
	"encoding"
	"encoding/binary"
	"hash"
	"sync"
)

// maxLanes is the most messages that a kernel hashes at once.
const maxLanes = 16

// lanes is what a kernel works on. A kernel of fewer lanes than maxLanes uses the first ones.
type lanes struct {
	state [4][maxLanes]uint32 // the words A, B, C and D of each message
	data  [maxLanes]*byte     // where the next block of each message lies
	//lint:ignore U1000 only kernels use it
	words [64*maxLanes + 64]byte // scratch: the message words, at the first multiple of 64
}

//go:generate go run kernels_gen.go kernels_gen_avx.go kernels_gen_neon.go

// A kernel hashes blocks of several messages at once.
type kernel struct {
	width    int                        // how many lanes
	slowdown int                        // a message takes about so many times as long as alone
	run      func(l *lanes, blocks int) // hashes so many blocks, at least one, of each message
}

// The state that crypto/md5 exports is, with numbers in big endian:
//
//	| magic 4 | A 4 | B 4 | C 4 | D 4 | block not yet full 64 | length in bytes 8 |
//
// Later versions of Go must read what earlier ones wrote, so it does not change lightly;
// stateKnown looks nevertheless.
const (
	stateMagic  = "md5\x01"
	stateWords  = len(stateMagic)
	stateLength = stateWords + md5.Size + md5.BlockSize
	stateSize   = stateLength + 8
)

// stdHash is what crypto/md5 makes.
type stdHash interface {
	hash.Hash
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
}

// member is a message being hashed: by crypto/md5 or in lanes, and it may change between them at
// the end of every block.
type member struct {
	std     hash.Hash
	length  uint64 // bytes hashed
	inLanes bool   // words has the state, and std an earlier one; length is a multiple of a block
	words   [4]uint32
	rest    []byte // whole blocks to be hashed in crews
	verdict chan verdict
	scratch [stateSize]byte
}

// done tells whether nothing is left to be hashed in crews.
func (m *member) done() bool { return len(m.rest) == 0 }

// alone hashes p by crypto/md5, which fails only where FIPS 140 forbids MD5.
func (m *member) alone(p []byte) error {
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
func (m *member) enterLanes() {
	if m.inLanes {
		return
	}
	state, err := m.std.(stdHash).AppendBinary(m.scratch[:0])
	if err != nil || len(state) != stateSize {
		panic("md5lanes: crypto/md5 does not export its state") // stateKnown found that it does
	}
	for i := range m.words {
		m.words[i] = binary.BigEndian.Uint32(state[stateWords+4*i:])
	}
	m.inLanes = true
}

// leaveLanes moves the state back to std.
func (m *member) leaveLanes() {
	if !m.inLanes {
		return
	}
	state := m.scratch[:]
	clear(state)
	copy(state, stateMagic)
	for i, word := range m.words {
		binary.BigEndian.PutUint32(state[stateWords+4*i:], word)
	}
	binary.BigEndian.PutUint64(state[stateLength:], m.length)
	if err := m.std.(stdHash).UnmarshalBinary(state); err != nil {
		panic("md5lanes: crypto/md5 does not import its state: " + err.Error())
	}
	m.inLanes = false
}

// stateKnown tells whether crypto/md5 works, and exports and imports its state as we take it to.
var stateKnown = sync.OnceValue(func() bool {
	std, ok := md5.New().(stdHash)
	if !ok {
		return false
	}
	if _, err := std.Write(make([]byte, md5.BlockSize)); err != nil {
		return false
	}
	state, err := std.AppendBinary(nil)
	if err != nil || len(state) != stateSize || string(state[:stateWords]) != stateMagic {
		return false
	}
	// All of the state that is not zero is where we look for it.
	there := member{std: std, length: md5.BlockSize}
	there.enterLanes()
	back := member{std: md5.New(), length: there.length, words: there.words, inLanes: true}
	if back.std.(stdHash).UnmarshalBinary(state) != nil {
		return false
	}
	back.leaveLanes()
	again, err := back.std.(stdHash).AppendBinary(nil)
	return err == nil && string(again) == string(state)
})
