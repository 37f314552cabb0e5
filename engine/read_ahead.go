package engine

import (
	"container/list"
	"sync"
	"sync/atomic"
)

// chunksAhead is how many chunks are decoded beside the one that is being read.
const chunksAhead = 2

// A readAhead decodes the chunks after the one that is being read, while the caller is busy with
// that. Its methods are for one goroutine.
type readAhead struct {
	flights []*flight // in the order of their chunks
}

// A flight is a chunk that is being decoded, or that was and waits for its reader.
type flight struct {
	at, end int64 // where the chunk lies in the object
	err     error
	done    chan struct{} // closed when data or err is there

	data    chunkData     // of who has landed it; until then of the aheadBudget
	counted int64         // bytes, guarded by aheadBudget.mu, like what follows
	waits   *list.Element // of aheadBudget.waiting; nil before done, and of one that has landed
	since   int64         // aheadBudget.steps when it began to wait
}

// fill begins to decode the chunks from an offset of the object on, as far as they begin before
// limit, a processor may be idle and there is room for them. Those under way must be the first of
// them.
func (r *readAhead) fill(s *source, at, limit int64) {
	budget := &s.engine.ahead
	budget.step()
	for _, f := range r.flights {
		at = f.end
	}
	for len(r.flights) < chunksAhead && at < limit && s.engine.loads.spare() {
		_, end, err := s.chunkSpan(at)
		if err != nil {
			return // who reads that far will meet it
		}
		f := &flight{at: at, end: end, done: make(chan struct{})}
		if !budget.begin(f) {
			return
		}
		r.flights = append(r.flights, f)
		s.engine.loads.begin()
		go func() {
			defer close(f.done)
			f.err = s.loading(f.at, &f.data)
			budget.wait(f)
		}()
		at = end
	}
}

// receive waits for the chunk at this offset, if it is the next one, and puts it in the place of
// what d has. If another one is wanted, none of those under way is.
func (r *readAhead) receive(s *source, at int64, d *chunkData) (taken bool, err error) {
	if len(r.flights) == 0 || r.flights[0].at != at {
		r.stop(s)
		return false, nil
	}
	f := r.flights[0]
	<-f.done
	r.flights = append(r.flights[:0], r.flights[1:]...)
	if !s.engine.ahead.land(f) {
		return false, nil
	}
	s.engine.memory.strip(d)
	*d = f.data
	return true, f.err
}

// stop ends what fill began and drops the results.
func (r *readAhead) stop(s *source) {
	for _, f := range r.flights {
		<-f.done
		if s.engine.ahead.land(f) {
			s.engine.memory.strip(&f.data)
		}
	}
	r.flights = nil
}

// An aheadBudget bounds the memory of what is decoded ahead for all readers together. While some of
// it is free a reader gets what it needs. Then it takes that of a reader that has not come for it
// for long, as one whose client is slow; that one decodes the chunk again when it comes. If there is
// none it goes without.
//
// How long a chunk waits is told by how often readers go on to their next chunk meanwhile: if they
// all are as fast, about as often as there are chunks that wait.
type aheadBudget struct {
	memory *chunkMemory
	most   int64 // bytes

	mu      sync.Mutex
	held    int64      // bytes
	steps   int64      // how often readers have gone on to their next chunk
	waiting *list.List // of *flight; the one that waits for longest is the first
}

// stalledAfter is by how many times more than the average a chunk has to wait to be given up. What
// is decoded in vain is one chunk in so many, at most.
const stalledAfter = 8

func newAheadBudget(most int64, memory *chunkMemory) aheadBudget {
	return aheadBudget{most: most, memory: memory, waiting: list.New()}
}

// step says that a reader goes on.
func (b *aheadBudget) step() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.steps++
}

// begin counts a flight that is to be decoded, if there is room for it. That takes the memory of
// the chunk twice, as it is stored and as it is.
func (b *aheadBudget) begin(f *flight) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	need := 2 * (f.end - f.at)
	for b.held+need > b.most {
		first := b.waiting.Front()
		if first == nil {
			return false
		}
		stalled := first.Value.(*flight)
		if b.steps-stalled.since <= stalledAfter*int64(b.waiting.Len()) {
			return false
		}
		b.landLocked(stalled)
		b.memory.strip(&stalled.data)
	}
	b.held += need
	f.counted = need
	return true
}

// wait says that a flight has been decoded. From now on it can be lost.
func (b *aheadBudget) wait(f *flight) {
	b.mu.Lock()
	defer b.mu.Unlock()
	holds := int64(cap(f.data.frame) + cap(f.data.plain))
	b.held += holds - f.counted
	f.counted, f.since = holds, b.steps
	f.waits = b.waiting.PushBack(f)
}

// land gives a flight that is done to its reader. It is false if it was lost.
func (b *aheadBudget) land(f *flight) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if f.waits == nil {
		return false
	}
	b.landLocked(f)
	return true
}

func (b *aheadBudget) landLocked(f *flight) {
	b.waiting.Remove(f.waits)
	b.held -= f.counted
	f.waits, f.counted = nil, 0
}

// loads counts the chunks that are being loaded for readers. Where chunks lie on the machine's own
// disk, loading takes a processor: when each has one, others make nothing faster, and what is decoded
// long before it is read is no longer in the processor's cache then.
type loads struct {
	most  int64 // with as many no processor is idle; 0: loading does not wait for one
	under atomic.Int64
}

func (l *loads) begin()      { l.under.Add(1) }
func (l *loads) end()        { l.under.Add(-1) }
func (l *loads) spare() bool { return l.most == 0 || l.under.Load() < l.most }
