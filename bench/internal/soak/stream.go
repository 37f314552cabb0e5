package soak

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"time"
)

// A pace says how a body or a reader goes through its bytes.
type pace struct {
	stops    int           // how often it pauses
	pause    time.Duration // each time
	cancelAt float64       // share of the bytes after which the call is cancelled; 1: it is not
}

// steady is neither slow nor cancelled.
var steady = pace{cancelAt: 1}

// slowSize bounds the size of slow bodies, so that they end soon.
const slowSize = 4 << 20

// drawPace makes some bodies and readers trickle, some stall, and cancels some.
func drawPace(rng *rand.Rand) pace {
	p := steady
	switch draw := rng.IntN(100); {
	case draw < 4: // trickles
		p.stops, p.pause = 4+rng.IntN(12), time.Duration(20+rng.IntN(100))*time.Millisecond
	case draw < 5: // stalls
		p.stops, p.pause = 1, time.Duration(500+rng.IntN(2000))*time.Millisecond
	case draw < 9:
		p.cancelAt = rng.Float64()
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

// errCancelled is the cause of the contexts that a client ends by itself.
var errCancelled = errors.New("soak: the client has cancelled the call")

// A stream hands over the bytes of a call at a pace.
type stream struct {
	io.Reader
	pace
	size    int64
	done    int64            // bytes that were handed over
	stopped int              // how often it has paused
	handed  func(done int64) // is told after each Read
	end     func()           // to be called when the call has returned
	sleep   func(context.Context, time.Duration)
	call    context.Context
	cancel  context.CancelCauseFunc // ends call
}

// newStream makes a stream of size bytes, and the context of their call.
func (w *World) newStream(ctx context.Context, r io.Reader, size int64, p pace) *stream {
	s := &stream{Reader: r, pace: p, size: size, sleep: w.options.Sleep}
	s.call, s.cancel = context.WithCancelCause(ctx)
	s.handed, s.end = func(int64) {}, func() { s.cancel(nil) }
	return s
}

// newBody makes a stream of a range of a content, and claims what it hands over until its end. The
// engine reads it from a goroutine of its own, where a last Read may be under way when the call has
// returned.
func (w *World) newBody(ctx context.Context, c Content, start, size int64, p pace) *stream {
	s, claim := w.newStream(ctx, &reader{c, start, start + size}, size, p), w.claim(held{})
	s.handed = func(done int64) { claim.bytes.Store(c.Stored(done)) }
	s.end = func() { s.cancel(nil); w.drop(claim) }
	return s
}

// Read implements io.Reader. It pauses when it is time to, and fails when it is to be cancelled.
func (s *stream) Read(p []byte) (int, error) {
	if s.stopped < s.stops && s.done >= s.size*int64(s.stopped)/int64(s.stops) {
		s.stopped++
		s.sleep(s.call, s.pause)
	}
	if s.cancelAt < 1 && s.done >= int64(s.cancelAt*float64(s.size)) {
		s.cancel(errCancelled)
		return 0, errCancelled
	}
	if s.pace != steady { // in pieces, so that it can stop between them
		p = p[:min(int64(len(p)), max(s.size/16, 1))]
	}
	n, err := s.Reader.Read(p)
	s.done += int64(n)
	s.handed(s.done)
	return n, err
}
