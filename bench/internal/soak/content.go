package soak

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"
)

const (
	contentBlock = 4 << 10 // bytes that are made at once
	contentUnit  = 1 << 10 // of what compresses: what a block repeats
	compareSize  = 128 << 10
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

// Compare reads r to its end. It fails unless the bytes are those from offset on, n of them.
// between is called with the bytes compared so far.
func (c Content) Compare(r io.Reader, offset, n int64, between func(done int64) error) error {
	got, want := make([]byte, compareSize), make([]byte, compareSize)
	for at := int64(0); ; {
		m, err := io.ReadFull(r, got)
		ended := err == io.EOF || err == io.ErrUnexpectedEOF
		c.Fill(want[:m], offset+at)
		for i := 0; !bytes.Equal(got[:m], want[:m]) && i < m; i++ {
			if got[i] != want[i] {
				return wrongf("byte %d is %#02x, must be %#02x", offset+at+int64(i), got[i], want[i])
			}
		}
		at += int64(m)
		switch {
		case at > n || ended && at < n:
			return wrongf("%d bytes from %d on, must be %d", at, offset, n)
		case ended:
			return nil
		case err != nil:
			return err
		}
		if err := between(at); err != nil {
			return err
		}
	}
}

// A WrongError says that an answer of the engine's cannot be right.
type WrongError struct{ What string }

func (e *WrongError) Error() string { return "wrong: " + e.What }

func wrongf(format string, args ...any) error { return &WrongError{fmt.Sprintf(format, args...)} }

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

func (p pace) slow() bool { return p.stops > 0 }

// slowSize bounds the size of slow bodies, so that they end soon.
const slowSize = 4 << 20

// A walk is what goes through size bytes at a pace.
type walk struct {
	pace
	size  int64
	stops int // so far
}

// step pauses if it is time to after done bytes, and fails when the walk is to be cancelled there.
func (w *walk) step(ctx context.Context, done int64, sleep func(context.Context, time.Duration)) error {
	if w.stops < w.pace.stops && done >= w.size*int64(w.stops)/int64(w.pace.stops) {
		w.stops++
		sleep(ctx, w.pause)
	}
	if w.cancel < 1 && done >= int64(w.cancel*float64(w.size)) {
		return errCancelled
	}
	return nil
}

// A body hands over a range of a content, at a pace. Its bytes are under way until it is ended.
type body struct {
	walk
	world   *World
	ctx     context.Context // of the call
	cancel  context.CancelCauseFunc
	content Content
	start   int64 // of the range
	done    int64
	bytes   *underWay
}

// newBody makes a body, and the context of its call; end must be called. The engine reads it from a
// goroutine of its own, where a last Read may be under way when the call has returned.
func (w *World) newBody(ctx context.Context, c Content, start, size int64, p pace) (context.Context, *body) {
	ctx, cancel := context.WithCancelCause(ctx)
	return ctx, &body{
		walk: walk{pace: p, size: size}, world: w, ctx: ctx, cancel: cancel, content: c, start: start, bytes: w.begin(),
	}
}

func (b *body) end() {
	b.cancel(nil)
	b.world.end(b.bytes)
}

func (b *body) Read(p []byte) (int, error) {
	if b.done == b.size {
		return 0, io.EOF
	}
	if err := b.step(b.ctx, b.done, b.world.options.Sleep); err != nil {
		b.cancel(err)
		return 0, b.ctx.Err()
	}
	n := min(int64(len(p)), b.size-b.done)
	if b.slow() || b.pace.cancel < 1 { // in pieces, so that it can stop between them
		n = min(n, max(b.size/16, 1))
	}
	b.content.Fill(p[:n], b.start+b.done)
	b.done += n
	b.bytes.Store(b.content.Stored(b.done))
	return int(n), nil
}
