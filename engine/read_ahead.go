package engine

import "sync/atomic"

// chunksAhead is how many chunks are decoded beside the one that is being read.
const chunksAhead = 2

// A readAhead decodes the chunks after the one that is being read, while the caller is busy with
// that. Its methods are for one goroutine.
type readAhead struct {
	flights []*flight   // in the order of their chunks
	free    []chunkData // memory for the next ones
}

// A flight is a chunk that is being decoded.
type flight struct {
	at, end int64 // where the chunk lies in the object
	data    chunkData
	err     error
	done    chan struct{} // closed when data or err is there
}

// fill begins to decode the chunks from an offset of the object on, as far as they begin before
// limit and a processor may be idle. Those under way must be the first of them.
func (r *readAhead) fill(s *source, at, limit int64) {
	for _, f := range r.flights {
		at = f.end
	}
	for len(r.flights) < chunksAhead && at < limit && s.engine.loads.spare() {
		_, end, err := s.chunkSpan(at)
		if err != nil {
			return // who reads that far will meet it
		}
		f := &flight{at: at, end: end, done: make(chan struct{})}
		if last := len(r.free) - 1; last >= 0 {
			f.data, r.free = r.free[last], r.free[:last]
		}
		s.engine.memory.equip(&f.data)
		r.flights = append(r.flights, f)
		s.engine.loads.begin()
		go func() {
			defer close(f.done)
			f.err = s.loading(f.at, &f.data)
		}()
		at = end
	}
}

// receive waits for the chunk at this offset, if it is the next one, and exchanges it for what d has.
// If another one is wanted, none of those under way is.
func (r *readAhead) receive(at int64, d *chunkData) (taken bool, err error) {
	if len(r.flights) == 0 || r.flights[0].at != at {
		r.stop()
		return false, nil
	}
	f := r.flights[0]
	<-f.done
	r.flights = append(r.flights[:0], r.flights[1:]...)
	r.free = append(r.free, *d)
	*d = f.data
	return true, f.err
}

// stop ends what fill began and drops the results.
func (r *readAhead) stop() {
	for _, f := range r.flights {
		<-f.done
		r.free = append(r.free, f.data)
	}
	r.flights = nil
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
