package engine

import (
	"context"
	"io"
	"io/fs"
	"sync"
	"sync/atomic"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine/internal/frame"
	"github.com/gabion-storage/gabion/engine/internal/ledger"
	"github.com/gabion-storage/gabion/index"
)

// A source reads the chunks of one content. Of its records it keeps a few pages, whatever its size:
// one of the directory, one part, and two pages of chunks, which is where a reader and what it
// decodes ahead are.
type source struct {
	engine *Engine
	call   call // for errors
	id     index.ContentID
	cipher *crypto.Cipher
	seals  seals
	count  int // of parts
	size   int64
	crc64  uint64
	md5    []byte // none where it is not known

	directorySeals seals // of its directory, which may have none

	looked bool // what open reads is there

	closed atomic.Bool

	mu        sync.Mutex // guards what follows, which is never changed once it is there
	directory *directoryPage
	segment   *segment
	pages     [2]*segmentPage // the one read last is the first
}

// A segment is a part, and where it is in the object.
type segment struct {
	n     int   // in the order of their numbers, from 0
	start int64 // in the object
	index.Part
}

func (s *segment) covers(at int64) bool { return at >= s.start && at < s.start+s.Size }

// A segmentPage is a page of the chunks of a segment.
type segmentPage struct {
	*segment
	*ledger.Page
	keys frame.Keys
}

func (p *segmentPage) covers(at int64) bool {
	inPart := at - p.segment.start
	return inPart >= p.Page.Start && inPart < p.Page.End()
}

// span returns where a chunk of the page lies in the object.
func (p *segmentPage) span(n int) (start, end int64) {
	end = p.segment.start + p.Page.Ends[n]
	return end - int64(p.Page.Chunks[n].Size), end
}

// newSource returns the source of the content of an object, which is in use. It has to be opened.
func (e *Engine) newSource(c *call, rec *index.Object, cipher *crypto.Cipher) *source {
	s := &source{
		engine: e, call: *c, id: rec.Content, cipher: cipher, seals: e.sealsOf(rec.Content, cipher),
		count: rec.Parts, size: rec.Size, crc64: rec.CRC64, md5: rec.MD5,
	}
	s.directorySeals = s.seals.ofDirectory(rec)
	return s
}

// fewChunks is how many chunks a part may have for its manifest to be read before it is asked for.
const fewChunks = 16

// look reads what open does, while a snapshot of the index is there anyway, and of a small content
// where its chunks are. What fails is met again by whoever needs it.
func (s *source) look(r index.Reader) {
	if s.looked = s.check(r) == nil; !s.looked || s.segment == nil {
		return
	}
	if part := &s.segment.Part; part.Size > 0 && (part.Inline || part.Chunks <= fewChunks) {
		if page, err := s.read(r, s.segment, 0); err == nil {
			s.keep(page)
		}
	}
}

// open opens the content. It is left when the source is closed. Of the parts it reads only what
// says how many there are and of how many bytes.
func (s *source) open(ctx context.Context) error {
	if !s.looked {
		if err := s.engine.index.View(ctx, s.check); err != nil {
			return err
		}
	}
	s.engine.node.Keep(s.call.epoch) // what the call may count on, the source may until it is closed
	return nil
}

// check reads what says how many parts there are and of how many bytes.
func (s *source) check(r index.Reader) (err error) {
	switch {
	case s.count == 0 && s.size != 0:
		err = s.inconsistent("it has no parts, but %d bytes", s.size)
	case s.count == 1:
		_, err = s.onlySegment(r)
	case s.count > 1:
		_, err = s.directoryPage(r, s.directoryPages()-1)
	}
	return err
}

// openingKeys are those of what check reads, as it mostly is: the first part has number 1.
func openingKeys(rec *index.Object) [][]byte {
	switch {
	case rec.Parts == 1:
		return [][]byte{index.PartKey(rec.Content, leastPart)}
	case rec.Parts > 1:
		return [][]byte{index.DirectoryKey(rec.Content, directoryPages(rec.Parts)-1)}
	}
	return nil
}

// read reads the page of a segment that holds an offset of the object.
func (s *source) read(r index.Reader, seg *segment, at int64) (*segmentPage, error) {
	chunks, err := ledger.PageAt(r, &seg.Part, at-seg.start, &s.seals)
	if err != nil {
		return nil, err
	}
	keys, err := s.engine.keysOf(s.cipher, seg.Scope)
	return &segmentPage{seg, chunks, keys}, err
}

// part returns the part that is the n-th in order, from 0.
func (s *source) part(ctx context.Context, n int) (seg *segment, err error) {
	err = s.engine.index.View(ctx, func(r index.Reader) (err error) {
		seg, err = s.segmentNumber(r, n)
		return err
	})
	return seg, err
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
	s.engine.trash.Leave(s.id)
	s.engine.node.End(s.call.epoch)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.directory, s.segment, s.pages = nil, nil, [2]*segmentPage{}
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
	s.engine.loads.begin()
	return s.loading(at, d)
}

// loading is load, for whoever has counted it.
func (s *source) loading(at int64, d *chunkData) error {
	defer s.engine.loads.end()
	s.engine.memory.equip(d)
	defer s.engine.memory.settle(d)
	return s.perform(func(ctx context.Context) error { return s.decode(ctx, at, d) })
}

// find returns which chunk of which page holds the byte at, which is below size. Neighbouring reads
// mostly want a page that is there.
func (s *source) find(ctx context.Context, at int64) (page *segmentPage, n int, err error) {
	page = s.kept(at)
	if page == nil {
		if page, err = s.fetch(ctx, at); err != nil {
			return nil, 0, err
		}
		s.keep(page)
	}
	return page, page.Page.ChunkAt(at - page.segment.start), nil
}

// fetch reads the page that holds the byte at, in one step if its key is known.
func (s *source) fetch(ctx context.Context, at int64) (page *segmentPage, err error) {
	s.mu.Lock()
	seg := s.segment
	s.mu.Unlock()
	if seg != nil && seg.covers(at) {
		if key := ledger.OnlyPage(&seg.Part); key != nil {
			r, err := index.Fetch(ctx, s.engine.index, key)
			if err != nil {
				return nil, err
			}
			return s.read(r, seg, at)
		}
	}
	err = s.engine.index.View(ctx, func(r index.Reader) error {
		seg, err := s.segmentAt(r, at)
		if err != nil {
			return err
		}
		page, err = s.read(r, seg, at)
		return err
	})
	return page, err
}

// kept returns the page that holds the byte at, if it is there.
func (s *source) kept(at int64) *segmentPage {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, page := range s.pages {
		if page != nil && page.covers(at) {
			return page
		}
	}
	return nil
}

func (s *source) keep(page *segmentPage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages[1], s.pages[0] = s.pages[0], page
}

// decode decodes the chunk that holds the byte at, which is below size.
func (s *source) decode(ctx context.Context, at int64, d *chunkData) error {
	d.bytes = nil
	page, n, err := s.find(ctx, at)
	if err != nil {
		return err
	}
	chunk := page.Page.Chunks[n]
	var plain []byte
	if page.Page.Inline != nil {
		if page.keys.Cipher == nil { // nothing is put there
			give(&s.engine.memory.frames, &d.frame)
		}
		plain, err = s.engine.chunks.open(page.Page.Inline, chunk, page.keys, d)
	} else {
		plain, err = s.engine.chunks.read(ctx, chunk, page.keys, d)
	}
	if err != nil {
		return err
	}
	d.start, _ = page.span(n)
	d.bytes = plain
	return nil
}

// chunkSpan returns where the chunk lies that holds the byte at, which is below size.
func (s *source) chunkSpan(at int64) (start, end int64, err error) {
	err = s.perform(func(ctx context.Context) error {
		page, n, err := s.find(ctx, at)
		if err == nil {
			start, end = page.span(n)
		}
		return err
	})
	return start, end, err
}
