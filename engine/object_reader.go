package engine

import "io"

// An Object is an object opened for reading. Offsets count from the start of what is Selected, if
// the embedded ObjectInfo has that; its Size is that of the whole object.
//
// Every chunk is verified before any of its bytes is handed out: damage is a *CorruptionError (in
// an *Error), never a wrong byte. After Close, reads fail with the bare fs.ErrClosed; io.EOF and
// the errors of WriteTo's writer come as they are; all other errors of reads are an *Error.
//
// ReadAt may be called from many goroutines. Read, Seek and WriteTo share a position: only one of
// them may run at a time. Close may be called beside ReadAt, which then fails, but not beside Read,
// Seek, WriteTo or another Close.
//
// After sequential reads, goroutines decode up to two chunks ahead; in an engine of Open only on
// processors that other readers leave idle. They end with Close, and when the end of the range is
// read. ReadAt keeps the last four chunks, so that small reads need not verify a chunk each time.
//
// An Object holds one chunk for Read and WriteTo, even while the Writer blocks, and twice that while
// it decodes one: the chunk as it is stored and as it is. What is decoded ahead comes out of a
// budget that all open Objects of the engine share, as large as Options.MemoryBudget. When that is
// used up, only what a reader has not come for in eight times the time that others take makes room;
// that reader decodes it again. For ReadAt an Object holds four chunks, and two for each that is
// being decoded, one for each ReadAt under way at most.
type Object struct {
	ObjectInfo
	source *source
	span   span
	pos    int64

	current chunkData // what Read is in
	ahead   readAhead // what comes after that

	kept chunkCache // for ReadAt
}

var (
	_ io.ReadSeekCloser = (*Object)(nil)
	_ io.ReaderAt       = (*Object)(nil)
	_ io.WriterTo       = (*Object)(nil)
)

func newObject(info ObjectInfo, s *source, sp span) *Object {
	return &Object{ObjectInfo: info, source: s, span: sp}
}

// Read implements io.Reader.
func (o *Object) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	if o.pos >= o.span.length {
		return 0, o.source.eof()
	}
	data, err := o.chunkAt(o.pos, false)
	if err != nil {
		return 0, err
	}
	n = copy(p, data)
	o.pos += int64(n)
	o.rest()
	return n, nil
}

// chunkAt returns the bytes from pos to the end of the chunk that holds it, or of the range. The
// next chunks are decoded meanwhile if the caller will want them: it says so, or has read up to
// pos.
func (o *Object) chunkAt(pos int64, goesOn bool) ([]byte, error) {
	at := o.span.start + pos
	if !o.current.covers(at) {
		goesOn = goesOn || pos > 0 && at == o.current.end()
		taken, err := o.ahead.receive(o.source, at, &o.current)
		if !taken {
			err = o.source.load(at, &o.current)
		}
		if err != nil {
			return nil, err
		}
		if goesOn {
			o.ahead.fill(o.source, o.current.end(), o.span.start+o.span.length)
		}
	}
	data := o.current.from(at)
	return data[:min(int64(len(data)), o.span.length-pos)], nil
}

// WriteTo implements io.WriterTo.
func (o *Object) WriteTo(w io.Writer) (total int64, err error) {
	for o.pos < o.span.length {
		data, err := o.chunkAt(o.pos, true)
		if err != nil {
			return total, err
		}
		n, err := w.Write(data)
		total += int64(n)
		o.pos += int64(n)
		if err != nil {
			return total, err
		}
		if n < len(data) {
			return total, io.ErrShortWrite
		}
	}
	o.rest()
	if err := o.source.eof(); err != io.EOF {
		return total, err
	}
	return total, nil
}

// rest gives up the memory for reading when the end is reached. Only the goroutine that reads does
// so: whoever closes an Object cannot know whether a writer still has bytes of it.
func (o *Object) rest() {
	if o.pos < o.span.length {
		return
	}
	o.ahead.stop(o.source)
	o.source.engine.memory.strip(&o.current)
}

// ReadAt implements io.ReaderAt.
func (o *Object) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, ErrInvalidArgument.saying("The offset is %d, must not be negative.", off)
	}
	for n < len(p) && off < o.span.length {
		wanted := min(int64(len(p)-n), o.span.length-off)
		copied, err := o.kept.read(o.source, o.span.start+off, p[n:int64(n)+wanted])
		if err != nil {
			return n, err
		}
		n += copied
		off += int64(copied)
	}
	if n < len(p) {
		return n, o.source.eof()
	}
	return n, nil
}

// Seek implements io.Seeker.
func (o *Object) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += o.pos
	case io.SeekEnd:
		offset += o.span.length
	default:
		return 0, ErrInvalidArgument.saying("whence is %d, must be 0, 1 or 2.", whence)
	}
	if offset < 0 {
		return 0, ErrInvalidArgument.saying(
			"The position would be %d, must not be negative.", offset,
		)
	}
	o.pos = offset
	return offset, nil
}

// Close ends the reading, and lets the space of what was deleted meanwhile come back. It may be
// called beside ReadAt, but not beside other methods. A second Close fails with fs.ErrClosed, and
// so do reads.
func (o *Object) Close() error {
	o.ahead.stop(o.source)
	o.current = chunkData{} // who keeps a closed Object keeps no chunks
	o.kept.close()
	return o.source.close()
}
