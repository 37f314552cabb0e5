package soak

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
)

const (
	contentBlock = 4 << 10 // bytes that are made at once
	contentUnit  = 1 << 10 // of what compresses: what a block repeats
)

// A Content is bytes that follow from a seed, any range of which can be made again.
type Content struct {
	Seed       uint64
	Size       int64
	Repetitive bool // each block of 4 KiB repeats its first 1 KiB, so that it compresses about four times
}

// Stored returns about how many bytes of disk n of its bytes take.
func (c Content) Stored(n int64) int64 {
	if c.Repetitive && n > contentBlock {
		return n * contentUnit / contentBlock
	}
	return n
}

// Fill makes the bytes from offset on; those beyond Size follow from the seed, too.
func (c Content) Fill(p []byte, offset int64) {
	var block [contentBlock]byte
	for len(p) > 0 {
		within := offset % contentBlock
		if within == 0 && len(p) >= contentBlock {
			c.block(p[:contentBlock], offset/contentBlock)
			p, offset = p[contentBlock:], offset+contentBlock
			continue
		}
		c.block(block[:], offset/contentBlock)
		n := copy(p, block[within:])
		p, offset = p[n:], offset+int64(n)
	}
}

// block makes one whole block.
func (c Content) block(p []byte, number int64) {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], c.Seed)
	binary.LittleEndian.PutUint64(key[8:], uint64(number))
	var source rand.ChaCha8
	source.Seed(key)
	if !c.Repetitive {
		source.Read(p) // never fails
		return
	}
	source.Read(p[:contentUnit]) // never fails
	for at := contentUnit; at < len(p); at += contentUnit {
		copy(p[at:], p[:contentUnit])
	}
}

// compareSize is how much is compared at once.
const compareSize = 128 << 10

// Compare reads r to its end. It fails unless the bytes are those from offset on, n of them.
// between, which may be nil, is called with the bytes compared so far.
func (c Content) Compare(r io.Reader, offset, n int64, between func(done int64) error) error {
	got, want := make([]byte, compareSize), make([]byte, compareSize)
	for at := int64(0); ; {
		m, err := io.ReadFull(r, got)
		if at+int64(m) > n {
			return wrongf("more than the %d bytes from %d on", n, offset)
		}
		c.Fill(want[:m], offset+at)
		for i := range m {
			if got[i] != want[i] {
				return wrongf("byte %d is %#02x, must be %#02x", offset+at+int64(i), got[i], want[i])
			}
		}
		at += int64(m)
		ended := err == io.EOF || err == io.ErrUnexpectedEOF
		switch {
		case ended && at < n:
			return wrongf("%d bytes from %d on, must be %d", at, offset, n)
		case ended:
			return nil
		case err != nil:
			return err
		}
		if between != nil {
			if err := between(at); err != nil {
				return err
			}
		}
	}
}

// A WrongError says that an answer of the engine's cannot be right.
type WrongError struct{ What string }

func (e *WrongError) Error() string { return "wrong: " + e.What }

func wrongf(format string, args ...any) error { return &WrongError{fmt.Sprintf(format, args...)} }
