package soak

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"time"
)

// A pace says how a body or a reader behaves.
type pace struct {
	stops  int           // how often it pauses
	pause  time.Duration // each time
	cancel float64       // share of the bytes after which the call is cancelled; 1 or more: it is not
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

func (p pace) slow() bool      { return p.stops > 0 }
func (p pace) cancelled() bool { return p.cancel < 1 }

// slowSize bounds the size of slow bodies, so that they end soon.
const slowSize = 4 << 20

// A body hands over a range of a content, at a pace, and counts its bytes as under way.
type body struct {
	world   *World
	ctx     context.Context // of the call
	cancel  context.CancelCauseFunc
	content Content
	pace    pace
	start   int64 // of the range
	size    int64
	done    int64
	stops   int // so far

	mu      sync.Mutex // guards the fields below: a last Read may be under way when the call has returned
	counted int64      // of done, in bytes on disk
	over    bool
}

func (b *body) Read(p []byte) (int, error) {
	if b.done == b.size {
		return 0, io.EOF
	}
	n := min(int64(len(p)), b.size-b.done)
	if b.pace.slow() {
		if b.stops < b.pace.stops && b.done >= b.size*int64(b.stops)/int64(b.pace.stops) {
			b.stops++
			b.world.options.Sleep(b.ctx, b.pace.pause)
		}
		n = min(n, max(b.size/int64(b.pace.stops+1), 1))
	}
	if b.pace.cancelled() {
		end := int64(b.pace.cancel * float64(b.size))
		if b.done >= end {
			b.cancel(errCancelled)
			return 0, b.ctx.Err()
		}
		n = min(n, end-b.done)
	}
	b.content.Fill(p[:n], b.start+b.done)
	b.done += n
	b.count(b.content.Stored(b.done))
	return int(n), nil
}

func (b *body) count(bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.over {
		b.world.model.ledger.underWay.Add(bytes - b.counted)
		b.counted = bytes
	}
}

// settle ends the body after its call has returned. The bytes that it returns stay counted as under way
// until uncount is called with them.
func (b *body) settle() int64 {
	b.cancel(nil)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
	return b.counted
}

func (w *World) uncount(bytes int64) { w.model.ledger.underWay.Add(-bytes) }

// newBody makes a body, and the context of its call. The engine reads it from a goroutine of its own.
func (w *World) newBody(ctx context.Context, c Content, start, size int64, p pace) (context.Context, *body) {
	ctx, cancel := context.WithCancelCause(ctx)
	return ctx, &body{world: w, ctx: ctx, cancel: cancel, content: c, pace: p, start: start, size: size}
}
