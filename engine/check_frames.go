package engine

import (
	"context"
	"slices"
	"sync"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine/internal/ledger"
	"github.com/gabion-storage/gabion/index"
)

// framesAhead is how many frames a check reads at a time, at most. Of a store that is far away each
// takes a round trip, and the smaller they are the more of them it takes to keep the check busy.
const framesAhead = 32

// framesShare is which part of Options.MemoryBudget, as a divisor, they take at most, and their memory
// as much again.
const framesShare = 8

// frameReads read the frames of the chunks that a check comes to next, while it is busy with those
// before. What they read ahead is taken only where the check asks for it, in the order of the check:
// so what it finds is what it would find without them. Its methods are for one goroutine.
type frameReads struct {
	blobs blob.Store
	most  int64 // bytes that may be read ahead, and as many of memory that waits for the next frames

	ctx     context.Context // of the check
	end     context.CancelFunc
	running sync.WaitGroup

	next  func() (blob.Ref, bool) // says which frame comes behind those that are being read
	ready *blob.Ref               // which it has said, and there was no room
	reads []*frameRead            // in the order of the check
	bytes int64                   // of reads
	free  [][]byte                // memory for the next ones
	spare int64                   // bytes of free
}

// A frameRead is a frame that is being read.
type frameRead struct {
	ref   blob.Ref
	done  chan struct{} // closed when the fields below are set
	frame []byte
	err   error
}

func newFrameReads(ctx context.Context, blobs blob.Store, most int64) *frameReads {
	f := &frameReads{blobs: blobs, most: most}
	f.ctx, f.end = context.WithCancel(ctx)
	return f
}

// close ends all reads.
func (f *frameReads) close() {
	if f != nil {
		f.end()
		f.running.Wait()
	}
}

// follow has the frames read of the chunks on the pages of k's plan from one place to another.
func (f *frameReads) follow(k *check, from, to pagePlace) {
	if f == nil || k.plan.state == discarded {
		return
	}
	f.drop(len(f.reads))
	chunks := k.chunksFrom(from, to)
	f.next = func() (ref blob.Ref, ok bool) {
		for {
			c, ok := chunks()
			if !ok {
				return ref, false
			}
			if rec := k.chunks[c.ID]; rec != nil && rec.err == nil {
				return ledger.RefOf(c.ID, rec.Chunk), true
			}
		}
	}
	f.ready = nil
}

// chunksFrom returns the chunks on the pages of the plan from one place to another, one by one. A page
// that cannot be read has none.
func (k *check) chunksFrom(at, to pagePlace) func() (index.PageChunk, bool) {
	var page []index.PageChunk
	plan := k.plan
	return func() (c index.PageChunk, ok bool) {
		for len(page) == 0 {
			if !at.before(to) {
				return c, false
			}
			if m := plan.manifests[at.manifest]; !m.inline && m.chunks > 0 {
				rec, err := index.Get(k.r, index.PageKey(m.id, at.page))
				if err == nil {
					page = rec.Chunks
				}
			}
			at = plan.next(at)
		}
		c, page = page[0], page[1:]
		return c, true
	}
}

// take returns a frame, read into the storage of buf or in exchange for it.
func (f *frameReads) take(ref blob.Ref, buf []byte) ([]byte, error) {
	f.fill()
	n := slices.IndexFunc(f.reads, func(r *frameRead) bool { return r.ref == ref })
	if n < 0 {
		return f.blobs.Get(f.ctx, ref, buf)
	}
	f.drop(n) // the check does not want them
	r := f.reads[0]
	<-r.done
	f.keep(buf)
	f.reads = slices.Delete(f.reads, 0, 1)
	f.bytes -= int64(ref.Size)
	f.fill()
	return r.frame, r.err
}

// fill begins to read as many frames as may be.
func (f *frameReads) fill() {
	for f.next != nil && len(f.reads) < framesAhead {
		if f.ready == nil {
			ref, ok := f.next()
			if !ok {
				f.next = nil
				return
			}
			f.ready = &ref
		}
		if len(f.reads) > 0 && f.bytes+int64(f.ready.Size) > f.most {
			return
		}
		r := &frameRead{ref: *f.ready, done: make(chan struct{})}
		f.ready = nil
		f.reads = append(f.reads, r)
		f.bytes += int64(r.ref.Size)
		buf := f.memory()
		f.running.Go(func() {
			defer close(r.done)
			r.frame, r.err = f.blobs.Get(f.ctx, r.ref, buf)
		})
	}
}

// drop waits for the first n reads and forgets them.
func (f *frameReads) drop(n int) {
	for _, r := range f.reads[:n] {
		<-r.done
		f.keep(r.frame)
		f.bytes -= int64(r.ref.Size)
	}
	f.reads = slices.Delete(f.reads, 0, n)
}

func (f *frameReads) keep(buf []byte) {
	if size := int64(cap(buf)); size > 0 && f.spare+size <= f.most && len(f.free) < framesAhead {
		f.free = append(f.free, buf)
		f.spare += size
	}
}

func (f *frameReads) memory() (buf []byte) {
	if last := len(f.free) - 1; last >= 0 {
		buf, f.free = f.free[last], f.free[:last]
		f.spare -= int64(cap(buf))
	}
	return buf
}
