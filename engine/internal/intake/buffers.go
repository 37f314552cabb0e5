package intake

import (
	"context"
	"sync"
	"time"

	"github.com/gabion-storage/gabion/engine/internal/frame"
)

// A buffer holds one chunk, with room around it so that its frame can be made in place.
type buffer struct {
	mem  []byte
	n    int   // bytes of the chunk
	slab *slab // that mem is part of; it must not be unmapped before

	// The digests of a body are computed in order, and meanwhile its chunks are stored.
	digested chan struct{} // gets one token when they have read this chunk
	awaited  bool          // that was received
}

// space is where the chunk is read into.
func (b *buffer) space() []byte { return b.mem[frame.Headroom : len(b.mem)-frame.Tailroom] }

// chunk is the plaintext, until a frame is made of it.
func (b *buffer) chunk() []byte { return b.mem[frame.Headroom : frame.Headroom+b.n] }

// awaitDigests waits until the digests of the body have read the chunk: from then on its bytes may
// change.
func (b *buffer) awaitDigests() {
	if !b.awaited {
		<-b.digested
		b.awaited = true
	}
}

// budget hands out chunk buffers, never more than its limit at a time over all parts. That bound is
// what keeps the memory of any number of concurrent uploads of any size flat. No buffer waits for a
// client for long while somebody else wants one: see filling.
type budget struct {
	chunkSize int
	slots     chan struct{} // one token a buffer that may be given out

	mu       sync.Mutex            // guards the fields below, and those of fillings that say so
	free     []*buffer             // grows with use: one for all would cost memory at once
	slab     *slab                 // that the next buffers are made of
	fillings map[*filling]struct{} // that have a buffer
}

func newBudget(bytes int64, chunkSize int) *budget {
	n := int(bytes / int64(chunkSize))
	b := &budget{
		chunkSize: chunkSize,
		slots:     make(chan struct{}, n),
		fillings:  make(map[*filling]struct{}),
	}
	for range n {
		b.slots <- struct{}{}
	}
	return b
}

// get waits for a buffer, as long as the context lasts. It fails, too, when the system has no
// memory for it.
func (b *budget) get(ctx context.Context) (*buffer, error) {
	select {
	case <-b.slots:
		return b.reuse()
	default:
	}
	look := time.NewTicker(stallPatience)
	defer look.Stop()
	for {
		select {
		case <-b.slots:
			return b.reuse()
		case <-look.C:
			b.cutOff()
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// cutOff ends the buffer of the body that has waited longest for its client, if that is too long,
// and sends it as it is: once that chunk is stored, the buffer is free.
func (b *budget) cutOff() {
	b.mu.Lock()
	defer b.mu.Unlock()
	var slowest *filling
	now := time.Now()
	for f := range b.fillings {
		if f.stalls(now) && (slowest == nil || f.silent.Before(slowest.silent)) {
			slowest = f
		}
	}
	if slowest != nil {
		slowest.filled <- filledBuffer{buf: slowest.leaveLocked()} // there is room
	}
}

// reuse returns the buffer that was given back last, which is paged in and perhaps in a cache, or
// makes one. The caller has a slot, which it loses when that fails.
func (b *budget) reuse() (*buffer, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if last := len(b.free) - 1; last >= 0 {
		buf := b.free[last]
		b.free = b.free[:last]
		return buf, nil
	}
	size := frame.Headroom + b.chunkSize + frame.Tailroom
	if b.slab == nil || !b.slab.has(size) {
		slab, err := newSlab(max(size, min(slabSize/size, cap(b.slots))*size))
		if err != nil {
			b.slots <- struct{}{}
			return nil, &MemoryError{err}
		}
		b.slab = slab
	}
	return &buffer{mem: b.slab.cut(size), slab: b.slab, digested: make(chan struct{}, 1)}, nil
}

// put gives a buffer back.
func (b *budget) put(buf *buffer) {
	buf.awaited = false
	b.mu.Lock()
	b.free = append(b.free, buf)
	b.mu.Unlock()
	b.slots <- struct{}{}
}
