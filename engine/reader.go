package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/index"
)

// An Object is an object opened for reading. Offsets count from the start of its range; Size in
// the embedded ObjectInfo is that of the whole object.
//
// Every chunk is verified before any of its bytes is handed out: damage is a *CorruptionError
// (in an *Error), never a wrong byte. ReadAt may be called from many goroutines; Read, Seek and
// WriteTo share a position and may not. Who reads on from chunk to chunk finds the next two decoded
// already, by goroutines that end with Close. It takes up to eight chunks of memory.
type Object struct {
	ObjectInfo
	source *source
	span   span
	pos    int64

	current chunkData // what Read is in
	ahead   readAhead // what comes after that
}

var (
	_ io.ReadSeekCloser = (*Object)(nil)
	_ io.ReaderAt       = (*Object)(nil)
	_ io.WriterTo       = (*Object)(nil)
)

func newObject(info ObjectInfo, s *source, sp span) *Object {
	return &Object{ObjectInfo: info, source: s, span: sp}
}

// Range returns where in the object the reader's bytes lie, and whether they are not all of it: a
// front end answers 206 with a Content-Range then.
func (o *Object) Range() (start, length int64, partial bool) {
	return o.span.start, o.span.length, o.span.partial
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
	return n, nil
}

// chunkAt returns the bytes from pos to the end of the chunk that holds it, or of the range. The next
// chunks are decoded meanwhile if the caller will want them: it says so, or has read up to pos.
func (o *Object) chunkAt(pos int64, goesOn bool) ([]byte, error) {
	at := o.span.start + pos
	if !o.current.covers(at) {
		goesOn = goesOn || pos > 0 && at == o.current.end()
		taken, err := o.ahead.take(at, &o.current)
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
	if err := o.source.eof(); err != io.EOF {
		return total, err
	}
	return total, nil
}

// ReadAt implements io.ReaderAt.
func (o *Object) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, ErrInvalidArgument.saying("The offset is %d, must not be negative.", off)
	}
	var data chunkData
	for n < len(p) && off < o.span.length {
		at := o.span.start + off
		if err := o.source.load(at, &data); err != nil {
			return n, err
		}
		room := min(int64(len(p)-n), o.span.length-off)
		copied := copy(p[n:int64(n)+room], data.from(at))
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
		return 0, ErrInvalidArgument.saying("The position would be %d, must not be negative.", offset)
	}
	o.pos = offset
	return offset, nil
}

// Close ends the reading and lets the space of what was deleted meanwhile come back. A second
// Close fails with an error matching fs.ErrClosed, and so does reading.
func (o *Object) Close() error {
	o.ahead.stop()
	o.current = chunkData{}
	return o.source.close()
}

// chunkData is a decoded chunk, and the memory for decoding the next.
type chunkData struct {
	start int64 // in the object
	bytes []byte

	frame, plain []byte
}

func (d *chunkData) covers(at int64) bool {
	return at >= d.start && at < d.end()
}

// end is where the next chunk begins.
func (d *chunkData) end() int64 { return d.start + int64(len(d.bytes)) }

func (d *chunkData) from(at int64) []byte { return d.bytes[at-d.start:] }

// reserve makes room for a chunk.
func (d *chunkData) reserve(c index.PageChunk) {
	if cap(d.plain) < int(c.Size) {
		d.plain = make([]byte, c.Size)
	}
}

// A source reads the chunks of one content.
type source struct {
	engine *Engine
	call   call // for errors
	id     index.ContentID
	cipher *crypto.Cipher
	parts  []segment
	size   int64

	closed atomic.Bool
	mu     sync.Mutex // guards latest
	latest *partChunks
}

// A segment is a part and where it begins in the object.
type segment struct {
	start int64
	index.Part
}

// partChunks are the chunks of one part, each with where it ends in the part.
type partChunks struct {
	segment int
	chunks  []index.PageChunk
	ends    []int64
	inline  []byte // the frame of the only chunk, if the index has it
}

// openContent finds the parts of an object's content, which is held. It is released when the
// source is closed.
func (e *Engine) openContent(ctx context.Context, c call, rec *index.Object, cipher *crypto.Cipher) (*source, error) {
	s := &source{engine: e, call: c, id: rec.Content, cipher: cipher}
	err := e.index.View(ctx, func(r index.Reader) error {
		parts, err := partsOf(r, rec.Content)
		if err != nil {
			return err
		}
		s.parts = make([]segment, len(parts))
		for i, p := range parts {
			s.parts[i] = segment{start: s.size, Part: p.Part}
			s.size += p.Size
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(s.parts) != rec.Parts || s.size != rec.Size {
		return nil, &CorruptionError{
			What: "object content " + rec.Content.String(), Where: "index",
			Err: fmt.Errorf("it has %d parts of %d bytes, wanted are %d of %d", len(s.parts), s.size, rec.Parts, rec.Size),
		}
	}
	return s, nil
}

// eof is what reading at the end returns.
func (s *source) eof() error {
	if s.closed.Load() {
		return fs.ErrClosed
	}
	return io.EOF
}

func (s *source) close() error {
	if s.closed.Swap(true) {
		return fs.ErrClosed
	}
	s.engine.inUse.release(s.id)
	return nil
}

// perform does something as a call of its own, while the source is open.
func (s *source) perform(fn func(ctx context.Context) error) (err error) {
	if s.closed.Load() {
		return fs.ErrClosed
	}
	ctx := context.Background() // an Object outlives the call that opened it
	c, err := s.engine.begin(ctx, s.call)
	defer c.end(&err)
	if err != nil {
		return err
	}
	err = fn(ctx)
	if err != nil && s.closed.Load() {
		return fs.ErrClosed // what was read may have been reclaimed meanwhile
	}
	return err
}

// load decodes the chunk that holds the byte at, which is below size, as a call of its own.
func (s *source) load(at int64, d *chunkData) error {
	return s.perform(func(ctx context.Context) error { return s.decode(ctx, at, d) })
}

// find returns which chunk of which part holds the byte at, which is below size.
func (s *source) find(ctx context.Context, at int64) (part *partChunks, n int, err error) {
	seg := sort.Search(len(s.parts), func(i int) bool { return s.parts[i].start+s.parts[i].Size > at })
	if part, err = s.chunksOf(ctx, seg); err != nil {
		return nil, 0, err
	}
	inPart := at - s.parts[seg].start
	return part, sort.Search(len(part.ends), func(i int) bool { return part.ends[i] > inPart }), nil
}

// decode decodes the chunk that holds the byte at, which is below size.
func (s *source) decode(ctx context.Context, at int64, d *chunkData) error {
	d.bytes = nil
	part, n, err := s.find(ctx, at)
	if err != nil {
		return err
	}
	chunk := part.chunks[n]
	var plain []byte
	if part.inline != nil {
		plain, err = decodeInline(part.inline, chunk, s.cipher, d)
	} else {
		plain, err = s.engine.readChunk(ctx, chunk, s.cipher, d)
	}
	if err != nil {
		return err
	}
	d.start, d.bytes = s.parts[part.segment].start+part.ends[n]-int64(chunk.Size), plain
	return nil
}

// chunksOf returns the chunk list of a part. Neighbouring reads mostly want the same one.
func (s *source) chunksOf(ctx context.Context, seg int) (*partChunks, error) {
	s.mu.Lock()
	latest := s.latest
	s.mu.Unlock()
	if latest != nil && latest.segment == seg {
		return latest, nil
	}
	list := &partChunks{segment: seg}
	rec := &s.parts[seg].Part
	err := s.engine.index.View(ctx, func(r index.Reader) error { return list.fill(r, rec) })
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.latest = list
	s.mu.Unlock()
	return list, nil
}

// fill reads a part's manifest.
func (l *partChunks) fill(r index.Reader, rec *index.Part) error {
	if rec.Inline {
		return l.fillInline(r, rec)
	}
	var end int64
	for entry, err := range index.Scan(r, index.PagesOf(rec.Manifest)) {
		if err != nil {
			return err
		}
		for _, c := range entry.Record.Chunks {
			end += int64(c.Size)
			l.chunks = append(l.chunks, c)
			l.ends = append(l.ends, end)
		}
	}
	if end != rec.Size || len(l.chunks) != rec.Chunks {
		return &CorruptionError{
			What: "manifest " + rec.Manifest.String(), Where: "index",
			Err: fmt.Errorf("it lists %d chunks of %d bytes, wanted are %d of %d", len(l.chunks), end, rec.Chunks, rec.Size),
		}
	}
	return nil
}

// fillInline reads the content of a part that has it in the index.
func (l *partChunks) fillInline(r index.Reader, rec *index.Part) error {
	in, err := index.Get(r, index.InlineKey(rec.Manifest))
	if err == nil && int64(in.Size) != rec.Size {
		err = fmt.Errorf("it holds %d bytes, wanted are %d", in.Size, rec.Size)
	}
	if err != nil {
		return &CorruptionError{What: "the content of manifest " + rec.Manifest.String(), Where: "index", Err: err}
	}
	l.chunks, l.ends, l.inline = []index.PageChunk{in.PageChunk}, []int64{rec.Size}, in.Frame
	return nil
}

// decodeInline verifies a chunk that the index has. The result lies in d's memory.
func decodeInline(frame []byte, c index.PageChunk, cipher *crypto.Cipher, d *chunkData) ([]byte, error) {
	d.reserve(c)
	d.frame = append(d.frame[:0], frame...) // decoding works in place
	plain, err := decodeFrame(d.frame, crypto.Address(c.ID), int(c.Size), cipher, d.plain)
	if err != nil {
		return nil, &CorruptionError{What: "chunk " + c.ID.String(), Where: "index", Err: err}
	}
	return plain, nil
}

// readChunk reads and verifies one chunk. The result lies in d's memory.
func (e *Engine) readChunk(ctx context.Context, c index.PageChunk, cipher *crypto.Cipher, d *chunkData) ([]byte, error) {
	d.reserve(c)
	var failed blob.Ref // where reading has failed
	var failure error
	for {
		ref, err := e.locate(ctx, c.ID)
		if err != nil {
			return nil, err
		}
		if ref == failed {
			e.damage.noteOne(ctx, ref, failure)
			return nil, failure
		}
		plain, err := e.readFrame(ctx, ref, int(c.Size), cipher, d)
		if err == nil {
			e.damage.good(ref)
			return plain, nil
		}
		// Between the two steps the chunk may have moved and its old volume gone. It is damaged
		// only if the index still says that it is there.
		failed, failure = ref, err
	}
}

// locate says where the index has a chunk.
func (e *Engine) locate(ctx context.Context, id index.ChunkID) (blob.Ref, error) {
	rec, ok, err := chunkRecord(ctx, e.index, id)
	if err == nil && !ok {
		err = &CorruptionError{What: "chunk " + id.String(), Where: "index", Err: errors.New("its record is missing")}
	}
	return refOf(id, rec), err
}

func (e *Engine) readFrame(ctx context.Context, ref blob.Ref, size int, cipher *crypto.Cipher, d *chunkData) (plain []byte, err error) {
	frame, err := e.blobs.Get(ctx, ref, d.frame)
	if err != nil {
		return nil, err
	}
	d.frame = frame
	plain, err = decodeFrame(frame, crypto.Address(ref.ID), size, cipher, d.plain)
	if err != nil {
		return nil, &CorruptionError{What: "chunk " + ref.ID.String(), Where: fmt.Sprintf("volume %d", ref.Volume), Err: err}
	}
	return plain, nil
}
