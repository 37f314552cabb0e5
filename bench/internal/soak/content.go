package soak

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/gabion-storage/gabion/bench/internal/compare"
)

const (
	contentBlock = 4 << 10 // bytes that are made at once
	contentUnit  = 1 << 10 // of what compresses: what a block repeats
)

// A Content is bytes that follow from a seed, any range of which can be made again.
type Content struct {
	Seed       uint64
	Size       int64
	Repetitive bool // each block of 4 KiB repeats its first 1 KiB: it compresses about four times
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
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], c.Seed)
	for len(p) > 0 {
		binary.LittleEndian.PutUint64(key[8:], uint64(offset/contentBlock))
		random := block[:]
		if c.Repetitive {
			random = block[:contentUnit]
		}
		var source rand.ChaCha8
		source.Seed(key)
		source.Read(random) // never fails
		for at := len(random); at < len(block); at += contentUnit {
			copy(block[at:], random)
		}
		n := copy(p, block[offset%contentBlock:])
		p, offset = p[n:], offset+int64(n)
	}
}

// A reader reads a range of a content.
type reader struct {
	Content
	at, end int64
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	n := min(int64(len(p)), r.end-r.at)
	if n == 0 {
		return 0, io.EOF
	}
	r.Fill(p[:n], r.at)
	r.at += n
	return int(n), nil
}

// Compare reads r to its end. It fails with a *WrongError unless the bytes are those from offset
// on, n of them.
func (c Content) Compare(r io.Reader, offset, n int64) error {
	err := compare.Readers(r, &reader{c, offset, offset + n})
	if different := new(compare.DifferentError); errors.As(err, &different) {
		return wrongf("of %d bytes from %d on: %v", n, offset, err)
	}
	return err
}

// A WrongError says that an answer of the engine's cannot be right.
type WrongError struct{ What string }

func (e *WrongError) Error() string { return "wrong: " + e.What }

func wrongf(format string, args ...any) error { return &WrongError{fmt.Sprintf(format, args...)} }
