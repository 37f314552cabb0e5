package intake

import (
	"bytes"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"strings"

	"github.com/gabion-storage/gabion/engine/internal/frame"
)

// AnySize is the declared size of a body whose size is not known.
const AnySize = -1

// A Body is what is to be taken in, once.
type Body struct {
	Keys     frame.Keys       // of its chunks
	Inline   int              // a body of one chunk is not stored when its frame is at most so long
	Progress func(done int64) // is told how much has come, from Take's caller's goroutine; or nil

	// next reads what becomes one chunk into space, and says io.EOF with or after the last. It
	// waits for nobody but the store. nil if reader is set.
	next   func(space []byte) (n int, err error)
	reader *guardedReader // whose Reads may wait for a client
	left   func() int64   // bytes that next will read at most; nil if that is not known

	fromStore bool        // next reads from the store: see FromStore
	size      int64       // declared length, or AnySize
	limit     int64       // bytes that the body may have at most
	digests   []hash.Hash // beside the MD5
}

// FromReader makes a body of what a reader has, which must be of this size, or AnySize, and not be
// longer than limit. The reader is the caller's code: it may wait, fail, panic and never return.
func FromReader(r io.Reader, size, limit int64) *Body {
	b := &Body{size: size, limit: limit}
	// One byte over what is allowed is enough to see that there is too much.
	guarded := &guardedReader{reader: io.LimitReader(r, b.most()+1)}
	if inMemory(r) {
		b.next = guarded.fill
		b.left = func() int64 { return leftIn(r) }
	} else {
		b.reader = guarded
	}
	return b
}

// FromStore makes a body of what is stored already. next reads what is to become one chunk into
// space, and says io.EOF with or after the last. It returns soon, so that a buffer may wait for it,
// and Take does not return before it has.
func FromStore(next func(space []byte) (n int, err error), size, limit int64) *Body {
	return &Body{next: next, fromStore: true, size: size, limit: limit}
}

// AddDigest has one more digest of the body computed, in the order of its bytes. nil is none.
func (b *Body) AddDigest(h hash.Hash) {
	if h != nil {
		b.digests = append(b.digests, h)
	}
}

// most is how many bytes the body may have.
func (b *Body) most() int64 {
	if b.size == AnySize {
		return b.limit
	}
	return min(b.size, b.limit)
}

// CheckSize compares the bytes that came with those declared, or AnySize, and those allowed. It
// fails with a *SizeError.
func CheckSize(got, size, limit int64) error {
	if got > limit || size != AnySize && got != size {
		return &SizeError{Got: got, Size: size, Limit: limit}
	}
	return nil
}

// checkMost refuses the body if there is too much of it already.
func (b *Body) checkMost(got int64) error {
	if got > b.most() {
		return CheckSize(got, b.size, b.limit)
	}
	return nil
}

// inMemory says whether the Reads of a body are known to wait for nobody: it lies in memory.
func inMemory(body io.Reader) bool {
	switch b := body.(type) {
	case *bytes.Reader:
		return b != nil
	case *bytes.Buffer:
		return b != nil
	case *strings.Reader:
		return b != nil
	case *io.LimitedReader:
		return b != nil && inMemory(b.R)
	case *io.SectionReader:
		if b == nil {
			return false
		}
		outer, _, _ := b.Outer()
		inner, ok := outer.(io.Reader)
		return ok && inMemory(inner)
	}
	return false
}

// leftIn is how many bytes a body that lies in memory has yet, at most.
func leftIn(body io.Reader) int64 {
	switch b := body.(type) {
	case interface{ Len() int }:
		return int64(b.Len())
	case *io.LimitedReader:
		return min(b.N, leftIn(b.R))
	case *io.SectionReader:
		return b.Size()
	}
	return math.MaxInt64
}

// A guardedReader reads from the caller's code on a goroutine of ours, where a panic of its would
// end the process.
type guardedReader struct {
	reader io.Reader
	empty  int // Reads in a row that have returned nothing
}

// maxEmptyReads is how many Reads in a row may return nothing before a body counts as broken.
const maxEmptyReads = 100

// errNoReturn stands for what a Read returns that ends its goroutine instead.
var errNoReturn = errors.New("it called runtime.Goexit instead of returning")

// read is one Read. Its errors are io.EOF and *ReadErrors.
func (g *guardedReader) read(space []byte) (n int, err error) {
	defer func() {
		if p := recover(); p != nil {
			n, err = 0, fmt.Errorf("its Read panicked: %v", p)
		}
		if err != nil && err != io.EOF {
			err = &ReadError{err}
		}
	}()
	n, err = g.reader.Read(space)
	if n < 0 || n > len(space) {
		return 0, fmt.Errorf("its Read returned %d for a buffer of %d bytes", n, len(space))
	}
	if g.empty++; n > 0 {
		g.empty = 0
	}
	if g.empty >= maxEmptyReads && err == nil {
		err = io.ErrNoProgress
	}
	return n, err
}

// fill reads until space is full, or the body ends, with io.EOF, or fails. io.ReadFull would not
// do: it says io.ErrUnexpectedEOF when a body ends, and so do bodies that were cut off.
func (g *guardedReader) fill(space []byte) (n int, err error) {
	for n < len(space) && err == nil {
		var read int
		read, err = g.read(space[n:])
		n += read
	}
	return n, err
}
