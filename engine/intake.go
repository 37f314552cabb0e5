package engine

import (
	"bytes"
	"fmt"
	"hash"
	"io"
	"math"
	"strings"

	"github.com/gabion-storage/gabion/engine/internal/frame"
)

// EmptyBody as the Size of a request says that its body is empty, which 0 does not: that means that
// the size is not known. It is no number that a front end could come by otherwise; net/http, say,
// has
// -1 for a length that is not known.
const EmptyBody int64 = math.MinInt64

// An intake is a body on its way in.
type intake struct {
	// next reads what becomes one chunk into space, and says io.EOF with or after the last. It
	// waits for nobody but the store. nil if body is set.
	next func(space []byte) (n int, err error)
	body *guardedBody // whose Reads may wait for a client
	left func() int64 // bytes that next will read at most; nil if that is not known

	own      bool  // next reads from the store: it returns soon, and must have before the call ends
	size     int64 // declared length; 0 means that it is not known, EmptyBody that there is none
	limit    int64 // bytes that the body may have at most
	tooLarge *Error
	inline   int // a body of one chunk is not stored when its frame is at most so long
	keys     frame.Keys
	digests  []hash.Hash // beside the MD5
	progress func(done int64)
}

// newIntake is the intake of a body that is read from a reader, which may be nil.
func newIntake(body io.Reader, size int64, progress func(int64)) *intake {
	if body == nil {
		body = strings.NewReader("")
	}
	in := &intake{size: size, limit: MaxPartSize, tooLarge: ErrEntityTooLarge, progress: progress}
	// One byte over what is allowed is enough to see that there is too much.
	guarded := &guardedBody{body: io.LimitReader(body, in.most()+1)}
	if inMemory(body) {
		in.next = guarded.fill
		in.left = func() int64 { return leftIn(body) }
	} else {
		in.body = guarded
	}
	return in
}

// most is how many bytes the body may have.
func (in *intake) most() int64 {
	switch {
	case in.size == EmptyBody:
		return 0
	case in.size > 0:
		return min(in.size, in.limit)
	}
	return in.limit
}

// digest computes one more digest of the body; nil is none.
func (in *intake) digest(h hash.Hash) {
	if h != nil {
		in.digests = append(in.digests, h)
	}
}

// checkSize compares the bytes that came with those declared and allowed.
func checkSize(in *intake, got int64) error {
	if err := in.checkMost(got); err != nil {
		return err
	}
	if in.size > 0 && got < in.size {
		return ErrIncompleteBody.saying("The body has %d bytes, Size is %d.", got, in.size)
	}
	return nil
}

// checkMost refuses a body of which there is too much already.
func (in *intake) checkMost(got int64) error {
	switch {
	case in.size == EmptyBody && got > 0:
		return ErrInvalidArgument.saying("The body is not empty, Size is EmptyBody.")
	case in.size > 0 && got > in.size:
		return ErrInvalidArgument.saying("The body is longer than Size, which is %d.", in.size)
	case got > in.limit:
		return in.tooLarge.saying(
			"The body is longer than %d bytes, the most that is allowed.", in.limit,
		)
	}
	return nil
}

// inMemory says whether the Reads of a body are known to wait for nobody: it lies in memory.
func inMemory(body io.Reader) bool {
	switch b := body.(type) {
	case *bytes.Reader, *bytes.Buffer, *strings.Reader:
		return true
	case *io.LimitedReader:
		return inMemory(b.R)
	case *io.SectionReader:
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

// A guardedBody reads from a body, which is the caller's code, on a goroutine of ours, where a
// panic of its would end the process.
type guardedBody struct {
	body  io.Reader
	empty int // Reads in a row that have returned nothing
}

// maxEmptyReads is how many Reads in a row may return nothing before a body counts as broken.
const maxEmptyReads = 100

// read is one Read. Its errors but io.EOF say that the body failed.
func (g *guardedBody) read(space []byte) (n int, err error) {
	defer func() {
		if p := recover(); p != nil {
			n, err = 0, fmt.Errorf("its Read panicked: %v", p)
		}
		if err != nil && err != io.EOF {
			err = ErrIncompleteBody.saying("The body failed.").with(err)
		}
	}()
	n, err = g.body.Read(space)
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
func (g *guardedBody) fill(space []byte) (n int, err error) {
	for n < len(space) && err == nil {
		var read int
		read, err = g.read(space[n:])
		n += read
	}
	return n, err
}
