package engine

// A readAhead decodes the chunk after the one that is being read, while the caller is busy with that.
// Its methods are for one goroutine.
type readAhead struct {
	done chan struct{} // closed when the chunk is decoded; nil when none was asked for
	at   int64         // where the chunk begins
	data chunkData
	err  error
}

// start begins to decode the chunk at an offset of the object. None may be under way.
func (r *readAhead) start(s *source, at int64) {
	done := make(chan struct{})
	r.done, r.at = done, at
	go func() {
		defer close(done)
		r.err = s.load(at, &r.data)
	}()
}

// take ends what start began. When that was the chunk at this offset, it changes places with d.
func (r *readAhead) take(at int64, d *chunkData) (taken bool, err error) {
	if r.done == nil {
		return false, nil
	}
	<-r.done
	r.done = nil
	if r.at != at {
		return false, nil
	}
	*d, r.data = r.data, *d
	return true, r.err
}

// stop ends what start began and drops the result.
func (r *readAhead) stop() {
	if r.done != nil {
		<-r.done
	}
	*r = readAhead{}
}
