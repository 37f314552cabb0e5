package intake

import (
	"context"
	"io"
	"time"
)

// How long a body may keep others waiting for the buffer that it fills.
const (
	// stallPatience is how long nothing may come from its client. Somebody who finds no buffer
	// looks that often for a body to cut off.
	stallPatience = 50 * time.Millisecond
	// tricklePatience is how long it may take altogether, while something comes now and then.
	tricklePatience = 250 * time.Millisecond
)

// A filling is the first stage of a body on its way in: one goroutine that reads it into buffers of
// the budget and sends these on.
//
// A buffer is only for bytes that are there. A body whose Reads may wait is read into a block of
// memory beside the budget, and copied from there; so whoever finds no buffer free can cut off a
// body that has been waiting for its client: what is in its buffer becomes a chunk as it is, which
// may have any size. A body gets its buffer only when a block of the largest size is full, or the
// body has ended. So no client makes chunks that are smaller, and one that sends little costs a
// small block.
type filling struct {
	budget *budget
	blocks *blocks
	pace   func(ctx context.Context, n int) error
	body   *Body
	filled chan filledBuffer // has room for one: what is cut off is sent at once

	// Guarded by budget.mu, but for the reading goroutine while waiting is false.
	buf     *buffer   // that is being filled
	since   time.Time // when the body got it
	waiting bool      // in a Read
	silent  time.Time // since when, if it is waiting
	ended   bool      // nobody receives from filled any more
}

// filledBuffer is what the reading stage sends: a buffer, or the error that ended the reading,
// nil at the end of the body.
type filledBuffer struct {
	buf  *buffer
	last bool // the body is known to end with the buffer
	err  error
}

func (in *Intake) newFilling(b *Body) *filling {
	return &filling{
		budget: in.budget, blocks: in.blocks, pace: in.Pace, body: b,
		filled: make(chan filledBuffer, 1),
	}
}

// read fills buffers until the body ends or ctx does. When ctx has ended there is at most one more
// Read under way.
func (f *filling) read(ctx context.Context) {
	err := errNoReturn
	defer func() {
		if err == errNoReturn {
			f.send(ctx, filledBuffer{err: &ReadError{err}})
		}
		if ctx.Err() != nil {
			f.drain() // end may have done so before the last one was sent
		}
	}()
	if f.body.reader != nil {
		err = f.readStaged(ctx)
	} else {
		err = f.readThrough(ctx)
	}
	switch {
	case ctx.Err() != nil:
	case err == io.EOF:
		f.send(ctx, filledBuffer{})
	default:
		f.send(ctx, filledBuffer{err: err})
	}
}

// readThrough reads right into buffers what waits for nobody. It returns what ended the reading.
func (f *filling) readThrough(ctx context.Context) error {
	for {
		expected := int64(f.budget.chunkSize)
		if f.body.left != nil {
			expected = min(expected, f.body.left())
		}
		b, err := f.next(ctx, int(expected))
		if err != nil {
			return err
		}
		b.n, err = f.body.next(b.space())
		if b.n == 0 {
			f.budget.put(b)
		} else if !f.send(ctx, filledBuffer{buf: b, last: err == io.EOF}) {
			return context.Cause(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// readStaged reads into blocks and copies from there. It returns what ended the reading.
func (f *filling) readStaged(ctx context.Context) (err error) {
	most := f.blocks.most
	b := f.blocks.get(minBlock)
	defer func() {
		f.blocks.put(b)
		f.giveUp()
	}()
	for staged := 0; err == nil; {
		if ctx.Err() != nil || !f.beginRead() {
			return context.Cause(ctx)
		}
		n := 0
		n, err = f.body.reader.read(b.mem[staged:])
		f.endRead()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		staged += n
		if f.buf == nil && err == nil && staged < most {
			if staged == len(b.mem) { // the client is quick enough for more
				b = f.blocks.resize(b, 2*len(b.mem), staged)
			}
			continue
		}
		if err := f.unload(ctx, b, &staged, err); err != nil {
			return err
		}
		switch size := len(b.mem); {
		case n == size && size < most:
			b = f.blocks.resize(b, 2*size, staged)
		case n < size/2 && size > minBlock && staged <= size/2:
			b = f.blocks.resize(b, size/2, staged)
		}
	}
	return err
}

// unload copies what is staged in a block into buffers and sends those that are full, all of
// them if ended is not nil. What is left it moves to the start of the block.
func (f *filling) unload(ctx context.Context, b *block, staged *int, ended error) error {
	from := b.mem[:*staged]
	for len(from) > 0 && (f.buf != nil || len(from) >= f.blocks.most || ended != nil) {
		if f.buf == nil {
			expected := f.budget.chunkSize
			if ended != nil {
				expected = len(from)
			}
			if err := f.begin(ctx, expected); err != nil {
				return err
			}
		}
		n := copy(f.buf.space()[f.buf.n:], from)
		f.buf.n += n
		from = from[n:]
		if f.buf.n == len(f.buf.space()) && !f.finish(ctx, ended == io.EOF && len(from) == 0) {
			return context.Cause(ctx)
		}
	}
	*staged = copy(b.mem, from)
	if ended != nil && f.buf != nil && !f.finish(ctx, ended == io.EOF) {
		return context.Cause(ctx)
	}
	return nil
}

// next waits for an empty buffer, and before that until about n more bytes may be taken in.
func (f *filling) next(ctx context.Context, n int) (*buffer, error) {
	if err := f.pace(ctx, n); err != nil {
		return nil, err
	}
	b, err := f.budget.get(ctx)
	if err != nil {
		return nil, err
	}
	b.n = 0
	return b, nil
}

// begin waits for a buffer to fill little by little.
func (f *filling) begin(ctx context.Context, n int) error {
	b, err := f.next(ctx, n)
	if err != nil {
		return err
	}
	f.budget.mu.Lock()
	defer f.budget.mu.Unlock()
	f.buf, f.since = b, time.Now()
	f.budget.fillings[f] = struct{}{}
	return nil
}

// finish ends the filling of the buffer, and sends it.
func (f *filling) finish(ctx context.Context, last bool) bool {
	f.budget.mu.Lock()
	b := f.leaveLocked()
	f.budget.mu.Unlock()
	return f.send(ctx, filledBuffer{buf: b, last: last})
}

// leaveLocked parts the body from its buffer.
func (f *filling) leaveLocked() *buffer {
	b := f.buf
	f.buf = nil
	delete(f.budget.fillings, f)
	return b
}

// giveUp gives back the buffer of a body that goes no further.
func (f *filling) giveUp() {
	f.budget.mu.Lock()
	b := f.leaveLocked()
	f.budget.mu.Unlock()
	if b != nil {
		f.budget.put(b)
	}
}

// beginRead says that a Read begins: from now on the body can be cut off. It is false when there is
// nobody who would receive what is read.
func (f *filling) beginRead() bool {
	f.budget.mu.Lock()
	defer f.budget.mu.Unlock()
	f.waiting = !f.ended
	f.silent = time.Now()
	return f.waiting
}

// stalls says whether the body has been waiting for its client for too long. What was sent last
// must have been received: otherwise it waits for whoever takes it in.
func (f *filling) stalls(now time.Time) bool {
	return f.waiting && len(f.filled) == 0 &&
		(now.Sub(f.silent) >= stallPatience || now.Sub(f.since) >= tricklePatience)
}

// endRead says that a Read has returned. The body may have been cut off meanwhile.
func (f *filling) endRead() {
	f.budget.mu.Lock()
	defer f.budget.mu.Unlock()
	f.waiting = false
}

// send sends a buffer to who takes the body in, or gives it back if ctx ends before.
func (f *filling) send(ctx context.Context, filled filledBuffer) bool {
	select {
	case f.filled <- filled:
		return true
	case <-ctx.Done():
		if filled.buf != nil {
			f.budget.put(filled.buf)
		}
		return false
	}
}

// end is called when nobody receives any more. Either the body has ended or its context has: then
// the buffer goes back at once, though a Read may be under way for as long as its client likes.
func (f *filling) end() {
	f.budget.mu.Lock()
	f.ended = true
	waiting := f.waiting
	f.budget.mu.Unlock()
	if waiting { // else the reading goroutine gives the buffer back, and soon
		f.giveUp()
	}
	f.drain()
}

// drain gives back what was sent and not received.
func (f *filling) drain() {
	select {
	case filled := <-f.filled:
		if filled.buf != nil {
			f.budget.put(filled.buf)
		}
	default:
	}
}
