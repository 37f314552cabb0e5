package index

import (
	"math"
	"time"
)

// Part is a part of an upload, or of the object that became of it. Size, ETag and CRC64 are of the
// plaintext.
type Part struct {
	ETag     [16]byte
	Size     int64
	CRC64    uint64
	Modified time.Time
	Manifest ManifestID
	Chunks   int    // on all pages of the manifest
	Inline   bool   // there are no pages: the content is the manifest's Inline record
	Checksum []byte // by the algorithm of the upload or object, if it has one
	Scope    Scope
	MAC      []byte // if the content is encrypted or the store has a key
}

func (*Part) version() byte { return 1 }

func (p *Part) encode(e *encoder) {
	e.fixed(p.ETag[:])
	e.size(p.Size, math.MaxInt64)
	e.fixed64(p.CRC64)
	e.time(p.Modified)
	e.fixed(p.Manifest[:])
	e.size(int64(p.Chunks), math.MaxInt32)
	e.bool(p.Inline)
	e.bytes(p.Checksum, maxChecksum)
	p.Scope.encode(e)
	e.bytes(p.MAC, maxMAC)
}

func (p *Part) decode(d *decoder, _ byte) {
	p.ETag = [16]byte(d.fixed(16))
	p.Size = d.size(math.MaxInt64)
	p.CRC64 = d.fixed64()
	p.Modified = d.time()
	p.Manifest = ManifestID(d.fixed(16))
	p.Chunks = int(d.size(math.MaxInt32))
	p.Inline = d.bool()
	p.Checksum = d.bytes(maxChecksum)
	p.Scope.decode(d)
	p.MAC = d.bytes(maxMAC)
}

// PageChunk is one chunk of a part. Size is its length before compression and sealing, at most
// MaxChunkSize.
type PageChunk struct {
	ID    ChunkID
	Size  uint32
	CRC64 uint64 // CRC-64/XZ of the plaintext; 0 if the chunk is sealed
}

func (c *PageChunk) encode(e *encoder) {
	e.fixed(c.ID[:])
	e.size(int64(c.Size), MaxChunkSize)
	e.fixed64(c.CRC64)
}

func (c *PageChunk) decode(d *decoder) {
	c.ID = ChunkID(d.fixed(32))
	c.Size = uint32(d.uint(MaxChunkSize))
	c.CRC64 = d.fixed64()
}

// Page is a run of the chunks of a part, in order; at most MaxPageChunks. All pages of a part but
// the last have that many.
type Page struct {
	Start  int64 // where the first chunk begins in the part, so that a search can skip pages
	Chunks []PageChunk
	MAC    []byte // if the content is encrypted or the store has a key
}

func (*Page) version() byte { return 1 }

func (p *Page) encode(e *encoder) {
	e.bytes(p.MAC, maxMAC)
	e.size(p.Start, math.MaxInt64)
	e.size(int64(len(p.Chunks)), MaxPageChunks)
	if e.err != nil {
		return
	}
	for i := range p.Chunks {
		p.Chunks[i].encode(e)
	}
}

func (p *Page) decode(d *decoder, _ byte) {
	p.MAC = d.bytes(maxMAC)
	p.Start = d.size(math.MaxInt64)
	n := int(d.size(MaxPageChunks))
	// The limit bounds the slice, but a short record should not get even that much.
	if shortest := len(ChunkID{}) + 1 + 8; n > len(d.buf)/shortest {
		d.fail(errShort)
	}
	if d.err != nil || n == 0 {
		return
	}
	p.Chunks = make([]PageChunk, n)
	for i := range p.Chunks {
		p.Chunks[i].decode(d)
	}
}

// DirectoryPart is one part in a Directory. Manifest tells it from another part that had the same
// number.
type DirectoryPart struct {
	Number   uint16
	Size     int64
	Manifest ManifestID
}

// Directory is a page of the list of the parts of a content, in order; at most MaxPageParts, and
// all pages of a content but the last have that many. With it a reader finds the part that holds an
// offset without reading those before.
type Directory struct {
	Start int64 // where the first part begins in the content
	Parts []DirectoryPart
	MAC   []byte // if the content is encrypted or the store has a key
}

func (*Directory) version() byte { return 1 }

func (l *Directory) encode(e *encoder) {
	e.bytes(l.MAC, maxMAC)
	e.size(l.Start, math.MaxInt64)
	e.size(int64(len(l.Parts)), MaxPageParts)
	if e.err != nil {
		return
	}
	for _, p := range l.Parts {
		e.uint(uint64(p.Number))
		e.size(p.Size, math.MaxInt64)
		e.fixed(p.Manifest[:])
	}
}

func (l *Directory) decode(d *decoder, _ byte) {
	l.MAC = d.bytes(maxMAC)
	l.Start = d.size(math.MaxInt64)
	n := int(d.size(MaxPageParts))
	if shortest := len(ManifestID{}) + 2; n > len(d.buf)/shortest {
		d.fail(errShort)
	}
	if d.err != nil || n == 0 {
		return
	}
	l.Parts = make([]DirectoryPart, n)
	for i := range l.Parts {
		l.Parts[i] = DirectoryPart{
			Number: uint16(d.uint(math.MaxUint16)), Size: d.size(math.MaxInt64),
			Manifest: ManifestID(d.fixed(16)),
		}
	}
}

// Inline is the whole content of a small part, kept in the index itself. Frame is what the chunk
// store would hold of it.
type Inline struct {
	PageChunk
	Frame []byte
	MAC   []byte // if the content is encrypted or the store has a key
}

func (*Inline) version() byte { return 1 }

func (i *Inline) encode(e *encoder) {
	i.PageChunk.encode(e)
	e.bytes(i.Frame, maxInlineFrame)
	e.bytes(i.MAC, maxMAC)
}

func (i *Inline) decode(d *decoder, _ byte) {
	i.PageChunk.decode(d)
	i.Frame = d.shared(maxInlineFrame) // most of the record: a copy would cost as much as reading it
	i.MAC = d.bytes(maxMAC)
}
