package engine

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
)

// growEvery is after how many parts the size of the next ones doubles, if the body's size is not
// known.
const growEvery = 1000

// A partPlan says how a body is cut into parts.
type partPlan struct {
	size     int64 // of the body; 0 means that it is not known
	partSize int64 // of the first part, if the body has so much
}

// planParts cuts size bytes into parts of wanted bytes, 0 for the default, or larger ones if there
// would be too many. Where the size of the parts is not the caller's it is a multiple of the
// chunks', so that equal content is found again in parts of another size.
func planParts(size, wanted, least, chunkSize int64) (partPlan, error) {
	const most = int64(MaxPartSize)
	if size > maxObjectSize {
		return partPlan{}, ErrEntityTooLarge.saying(
			"Size is %d, must be at most %d.", size, int64(maxObjectSize),
		).about("Size", size).sized(size, maxObjectSize)
	}
	if wanted == 0 {
		wanted = roundUp(max(DefaultPartSize, least), chunkSize)
	}
	if wanted < least || wanted > most {
		return partPlan{}, ErrInvalidArgument.saying(
			"PartSize is %d, must be %d to %d.", wanted, least, most,
		).about("PartSize", wanted)
	}
	if needed := ceilDiv(size, MaxPartNumber); needed > wanted {
		wanted = min(roundUp(needed, chunkSize), most)
	}
	return partPlan{size: size, partSize: wanted}, nil
}

func ceilDiv(a, b int64) int64 { return (a + b - 1) / b }

func roundUp(n, step int64) int64 { return ceilDiv(n, step) * step }

// parts is how many parts there are, or may be.
func (p partPlan) parts() int {
	if p.size == 0 {
		return MaxPartNumber
	}
	return int(ceilDiv(p.size, p.partSize))
}

// length is how many bytes a part has, or may have if the size is not known.
func (p partPlan) length(number int) int64 {
	if p.size == 0 {
		return min(p.partSize<<((number-1)/growEvery), MaxPartSize)
	}
	return min(p.partSize, p.size-p.offset(number))
}

// offset is where a part begins, if the size is known.
func (p partPlan) offset(number int) int64 { return int64(number-1) * p.partSize }

// tooLong says that the body goes on behind the last part.
func (p partPlan) tooLong() error {
	if p.size == 0 {
		return ErrEntityTooLarge.saying(
			"The body does not fit in %d parts that begin with %d bytes each.", MaxPartNumber,
			p.partSize,
		)
	}
	return ErrInvalidArgument.saying("The body is longer than Size, which is %d.", p.size).
		about("Size", p.size)
}

// A partSource cuts a body into parts.
type partSource interface {
	// next returns the next part, or nil when there is none or ctx has ended. It may be called
	// from many goroutines.
	next(ctx context.Context) (*bodyPart, error)
}

// A bodyPart is one part of a body on its way to UploadPart.
type bodyPart struct {
	number int
	body   io.Reader
	size   int64 // 0 means that it is not known
}

// sections are the parts of a body of known size that can be read side by side.
type sections struct {
	body io.ReaderAt
	plan partPlan
	last atomic.Int64 // the number given out last
}

func (s *sections) next(ctx context.Context) (*bodyPart, error) {
	number, parts := int(s.last.Add(1)), s.plan.parts()
	if number > parts || ctx.Err() != nil {
		return nil, nil
	}
	offset, length := s.plan.offset(number), s.plan.length(number)
	reach := length
	if number == parts {
		reach++ // and it shows if the body is longer
	}
	return &bodyPart{
		number: number, body: io.NewSectionReader(s.body, offset, reach), size: length,
	}, nil
}

// stream are the parts of a body that is read once, in order. A part begins when the reading of the
// one before has ended; that one may then still be on its way to the disk.
type stream struct {
	body io.Reader
	plan partPlan

	// turn has a token while nobody reads, and is closed at the end of the body. What follows
	// belongs to the part that has the token.
	turn   chan struct{}
	number int // of the part begun last
	err    error
	ahead  [1]byte // what was read to see whether there is more
	peeked bool    // ahead is the next byte
}

func newStream(body io.Reader, plan partPlan) *stream {
	s := &stream{body: body, plan: plan, turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	return s
}

func (s *stream) next(ctx context.Context) (*bodyPart, error) {
	select {
	case _, more := <-s.turn:
		if !more {
			return nil, nil
		}
	case <-ctx.Done():
		return nil, nil
	}
	if s.number == s.plan.parts() {
		return nil, s.plan.tooLong()
	}
	s.number++
	return &bodyPart{
		number: s.number, body: &streamPart{stream: s, left: s.plan.length(s.number)},
	}, nil
}

// read reads from the body. A body that has failed stays failed.
func (s *stream) read(p []byte) (int, error) {
	if s.peeked {
		s.peeked = false
		return copy(p, s.ahead[:]), nil
	}
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.body.Read(p)
	if n < 0 || n > len(p) {
		n, err = 0, fmt.Errorf("its Read returned %d for a buffer of %d bytes", n, len(p))
	}
	s.err = err
	return n, err
}

// A streamPart reads one part of a stream, and passes the turn on at its end.
type streamPart struct {
	stream *stream
	left   int64 // bytes
	ended  bool  // the turn is another's
}

func (p *streamPart) Read(buf []byte) (int, error) {
	switch {
	case p.ended:
		return 0, io.EOF
	case p.left == 0:
		return 0, p.lookAhead()
	}
	n, err := p.stream.read(buf[:min(int64(len(buf)), p.left)])
	p.left -= int64(n)
	if err == io.EOF {
		p.ended = true
		close(p.stream.turn)
	}
	return n, err
}

// lookAhead reads one byte behind the part, so that no empty part follows the last one. It returns
// io.EOF at the end of the part, and nil if it has to be called again.
func (p *streamPart) lookAhead() error {
	s := p.stream
	n, err := s.read(s.ahead[:])
	if n == 0 && err == nil {
		return nil
	}
	p.ended = true
	if n == 0 && (err == io.EOF || s.number == s.plan.parts()) {
		close(s.turn)
		return err
	}
	// The byte belongs to the next part, and so does an error.
	s.peeked = n > 0
	s.turn <- struct{}{}
	return io.EOF
}
