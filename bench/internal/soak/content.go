package soak

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

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
// on, n of them. between is called with the bytes compared so far.
func (c Content) Compare(r io.Reader, offset, n int64, between func(done int64) error) error {
	err := compare.Readers(r, &reader{c, offset, offset + n}, between)
	if different := new(compare.DifferentError); errors.As(err, &different) {
		return wrongf("of %d bytes from %d on: %v", n, offset, err)
	}
	return err
}

// A WrongError says that an answer of the engine's cannot be right.
type WrongError struct{ What string }

func (e *WrongError) Error() string { return "wrong: " + e.What }

func wrongf(format string, args ...any) error { return &WrongError{fmt.Sprintf(format, args...)} }

// A pace says how a body or a reader goes through its bytes.
type pace struct {
	stops  int           // how often it pauses
	pause  time.Duration // each time
	cancel float64       // share of the bytes after which the call is cancelled; 1 or more: it is not

	stopped int // so far
}

// steady is neither slow nor cancelled.
var steady = pace{cancel: 1}

// errCancelled is the cause of the contexts that a client ends by itself.
var errCancelled = errors.New("soak: the client has cancelled the call")

// drawPace makes some bodies and readers trickle, some stall, and cancels some.
func drawPace(rng *rand.Rand) pace {
	p := steady
	switch draw := rng.IntN(100); {
	case draw < 4: // trickles
		p.stops, p.pause = 4+rng.IntN(12), time.Duration(20+rng.IntN(100))*time.Millisecond
	case draw < 5: // stalls
		p.stops, p.pause = 1, time.Duration(500+rng.IntN(2000))*time.Millisecond
	case draw < 9:
		p.cancel = rng.Float64()
	}
	return p
}

func (p pace) slow() bool { return p.stops > 0 }

// kind is that of a call at this pace: what waits by itself is a kind of its own.
func (p pace) kind(of string) string {
	if p.slow() {
		return KindSlow
	}
	return of
}

// slowSize bounds the size of slow bodies, so that they end soon.
const slowSize = 4 << 20

// step pauses if it is time to after done bytes of size, and fails when it is to be cancelled.
func (p *pace) step(
	ctx context.Context, done, size int64, sleep func(context.Context, time.Duration),
) error {
	if p.stopped < p.stops && done >= size*int64(p.stopped)/int64(p.stops) {
		p.stopped++
		sleep(ctx, p.pause)
	}
	if p.cancel < 1 && done >= int64(p.cancel*float64(size)) {
		return errCancelled
	}
	return nil
}

// A body hands over a range of a content, at a pace. Its bytes are under way until it is ended.
type body struct {
	reader
	pace
	start  int64 // of the range
	world  *World
	ctx    context.Context // of the call
	cancel context.CancelCauseFunc
	bytes  *underWay
}

// newBody makes a body, and the context of its call; end must be called. The engine reads it from a
// goroutine of its own, where a last Read may be under way when the call has returned.
func (w *World) newBody(
	ctx context.Context, c Content, start, size int64, p pace,
) (context.Context, *body) {
	ctx, cancel := context.WithCancelCause(ctx)
	return ctx, &body{reader{c, start, start + size}, p, start, w, ctx, cancel, w.begin()}
}

func (b *body) end() {
	b.cancel(nil)
	b.world.end(b.bytes)
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	done, size := b.at-b.start, b.reader.end-b.start
	if done == size {
		return 0, io.EOF
	}
	if err := b.step(b.ctx, done, size, b.world.options.Sleep); err != nil {
		b.cancel(err)
		return 0, b.ctx.Err()
	}
	if b.slow() || b.pace.cancel < 1 { // in pieces, so that it can stop between them
		p = p[:min(int64(len(p)), max(size/16, 1))]
	}
	n, err := b.reader.Read(p)
	b.bytes.Store(b.Stored(done + int64(n)))
	return n, err
}
