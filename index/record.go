package index

import (
	"math"
	"time"
)

// Limits of fields. They are generous: rules about what a client may send belong to the layer
// above. They are finite, so that a record of any content fits a transaction, and a damaged length
// never makes a reader allocate much.
const (
	MaxChunkSize   = 16 << 20 // bytes of a chunk before compression and sealing: who reads one makes room for as much
	MaxPageChunks  = 1024     // chunks on one page of a manifest
	MaxPageParts   = 1024     // parts on one page of a directory
	MaxParts       = 1 << 16  // parts of an object: their numbers have 16 bits
	MaxKeyID       = 4 << 10  // bytes of the id of a wrapping key
	MaxWrappedKey  = 64 << 10 // bytes of a wrapped data key
	maxWord        = 255      // names, ids and enumerations
	maxHeaderText  = 4 << 10  // one header of an object
	maxTextEntries = 8 << 10  // entries of the metadata, and of the tags
	maxTexts       = 16 << 10 // all names and values of the metadata, and of the tags
	maxChecksum    = 64       // bytes of a digest
	maxDigestState = 512      // bytes of a digest under way
	maxMAC         = 16       // bytes of a record's MAC
	maxInlineFrame = 64 << 10
	maxStored      = MaxChunkSize + 4<<10 // bytes of a chunk where it is: with what a seal and headers add
)

// Header describes the store. Format is the version of the whole layout on disk; what to do with a
// newer one is for the layer above.
type Header struct {
	Format  uint32
	StoreID [16]byte
	Created time.Time
	Records Encryption // the wrapped key of the MACs of records that have no data key; none if those have no MACs
}

func (*Header) version() byte { return 1 }

func (h *Header) encode(e *encoder) {
	e.uint(uint64(h.Format))
	e.fixed(h.StoreID[:])
	e.time(h.Created)
	h.Records.encode(e)
}

func (h *Header) decode(d *decoder, version byte) {
	h.Format = uint32(d.uint(math.MaxUint32))
	h.StoreID = [16]byte(d.fixed(16))
	h.Created = d.time()
	h.Records.decode(d, version)
}

// Clone says that the index is a copy of another store's, or becomes one, and that nothing else has
// been done with it yet. Without a Header beside it the copy is not complete.
type Clone struct {
	Source [16]byte // StoreID of the other
	Pull   [16]byte // of those who write to the copy, whoever began last
}

func (*Clone) version() byte { return 1 }

func (c *Clone) encode(e *encoder) {
	e.fixed(c.Source[:])
	e.fixed(c.Pull[:])
}

func (c *Clone) decode(d *decoder, _ byte) {
	c.Source = [16]byte(d.fixed(16))
	c.Pull = [16]byte(d.fixed(16))
}

// Bucket is a container of objects.
type Bucket struct {
	Created    time.Time
	Rules      string // names the set of rules it was created with
	Dedup      string // names within what its chunks are found again
	Generation Generation

	Annotations map[string]string // a front end's own; since version 2
}

func (*Bucket) version() byte { return 2 }

func (b *Bucket) encode(e *encoder) {
	e.time(b.Created)
	e.string(b.Rules, maxWord)
	e.string(b.Dedup, maxWord)
	e.fixed(b.Generation[:])
	e.texts(b.Annotations, maxTextEntries, maxTexts)
}

func (b *Bucket) decode(d *decoder, version byte) {
	b.Created = d.time()
	b.Rules = d.string(maxWord)
	b.Dedup = d.string(maxWord)
	b.Generation = Generation(d.fixed(16))
	if version >= 2 {
		b.Annotations = d.texts(maxTextEntries, maxTexts)
	}
}

// Attributes is what a client says about an object and gets back with it. Empty maps come back as
// nil.
type Attributes struct {
	ContentType        string
	CacheControl       string
	ContentDisposition string
	ContentEncoding    string
	Expires            string
	StorageClass       string
	Metadata, Tags     map[string]string

	// Since version 2. Annotations are a front end's own.
	ContentLanguage string
	WebsiteRedirect string
	Annotations     map[string]string
}

func (*Attributes) version() byte { return 2 }

func (a *Attributes) encode(e *encoder) {
	e.string(a.ContentType, maxHeaderText)
	e.string(a.CacheControl, maxHeaderText)
	e.string(a.ContentDisposition, maxHeaderText)
	e.string(a.ContentEncoding, maxHeaderText)
	e.string(a.Expires, maxHeaderText)
	e.string(a.StorageClass, maxHeaderText)
	e.texts(a.Metadata, maxTextEntries, maxTexts)
	e.texts(a.Tags, maxTextEntries, maxTexts)
	e.string(a.ContentLanguage, maxHeaderText)
	e.string(a.WebsiteRedirect, maxHeaderText)
	e.texts(a.Annotations, maxTextEntries, maxTexts)
}

func (a *Attributes) decode(d *decoder, version byte) {
	a.ContentType = d.string(maxHeaderText)
	a.CacheControl = d.string(maxHeaderText)
	a.ContentDisposition = d.string(maxHeaderText)
	a.ContentEncoding = d.string(maxHeaderText)
	a.Expires = d.string(maxHeaderText)
	a.StorageClass = d.string(maxHeaderText)
	a.Metadata = d.texts(maxTextEntries, maxTexts)
	a.Tags = d.texts(maxTextEntries, maxTexts)
	if version >= 2 {
		a.ContentLanguage = d.string(maxHeaderText)
		a.WebsiteRedirect = d.string(maxHeaderText)
		a.Annotations = d.texts(maxTextEntries, maxTexts)
	}
}

// Encryption says how a content is sealed. An empty Algorithm is not at all.
type Encryption struct {
	Algorithm  string
	KeyID      string // what the client asked for
	WrappedKey []byte // the data key, sealed by the key provider
	Wrapper    string // the provider's id of the key that sealed it
	Customer   bool   // the client's own key sealed it, which is not stored
}

func (*Encryption) version() byte { return 1 }

func (c *Encryption) encode(e *encoder) {
	e.string(c.Algorithm, maxWord)
	e.string(c.KeyID, MaxKeyID)
	e.bytes(c.WrappedKey, MaxWrappedKey)
	e.string(c.Wrapper, MaxKeyID)
	e.bool(c.Customer)
}

func (c *Encryption) decode(d *decoder, _ byte) {
	c.Algorithm = d.string(maxWord)
	c.KeyID = d.string(MaxKeyID)
	c.WrappedKey = d.bytes(MaxWrappedKey)
	c.Wrapper = d.string(MaxKeyID)
	c.Customer = d.bool()
}

// Checksum is a digest that a client asked for beside the ETag. An empty Algorithm is none.
type Checksum struct {
	Algorithm string
	Type      string // how the digest of an object comes from those of its parts
	Value     []byte // none on an upload
}

func (*Checksum) version() byte { return 1 }

func (c *Checksum) encode(e *encoder) {
	e.string(c.Algorithm, maxWord)
	e.string(c.Type, maxWord)
	e.bytes(c.Value, maxChecksum)
}

func (c *Checksum) decode(d *decoder, _ byte) {
	c.Algorithm = d.string(maxWord)
	c.Type = d.string(maxWord)
	c.Value = d.bytes(maxChecksum)
}

// Upload is an open upload.
type Upload struct {
	Generation Generation // of its bucket
	Initiated  time.Time
	Attributes Attributes
	Encryption Encryption
	Checksum   Checksum
	Sequential bool      // parts come in order
	Digest     []byte    // of a sequential upload: the MD5 under way, as crypto/md5 marshals it; sealed if the upload is encrypted
	MD5        []byte    // of a sequential upload: the MD5 of the parts so far; none without parts
	Watched    time.Time // under which it stands in the table of idle uploads; zero if it does not
	MAC        []byte    // of what was said at its start, if the upload is encrypted or the store has a key
}

func (*Upload) version() byte { return 1 }

func (u *Upload) encode(e *encoder) {
	e.fixed(u.Generation[:])
	e.time(u.Initiated)
	e.versioned(&u.Attributes)
	e.versioned(&u.Encryption)
	e.versioned(&u.Checksum)
	e.bool(u.Sequential)
	e.bytes(u.Digest, maxDigestState)
	e.bytes(u.MD5, maxChecksum)
	e.time(u.Watched)
	e.bytes(u.MAC, maxMAC)
}

func (u *Upload) decode(d *decoder, _ byte) {
	u.Generation = Generation(d.fixed(16))
	u.Initiated = d.time()
	d.versioned(&u.Attributes)
	d.versioned(&u.Encryption)
	d.versioned(&u.Checksum)
	u.Sequential = d.bool()
	u.Digest = d.bytes(maxDigestState)
	u.MD5 = d.bytes(maxChecksum)
	u.Watched = d.time()
	u.MAC = d.bytes(maxMAC)
}

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
	Start  int64 // where the first chunk begins in the part: who looks for an offset need not read the pages before
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

// Object is a complete object. Its parts are those under Content, which it may share with other
// objects.
type Object struct {
	Content    ContentID
	Type       string
	ETag       string
	Size       int64
	CRC64      uint64
	Parts      int
	Modified   time.Time
	Attributes Attributes
	Encryption Encryption
	Checksum   Checksum
	MD5        []byte // of the whole content, where it is known
	MAC        []byte // none in a store without a key if it is not encrypted, or has UploadMAC
	UploadMAC  []byte // the MAC of the upload that it was, if that was completed without the client's key

	// PartAlgorithm is that of the checksums of its parts, if it is not that of Checksum; since
	// version 2.
	PartAlgorithm string
}

func (*Object) version() byte { return 2 }

func (o *Object) encode(e *encoder) {
	e.fixed(o.Content[:])
	e.string(o.Type, maxWord)
	e.string(o.ETag, maxWord)
	e.size(o.Size, math.MaxInt64)
	e.fixed64(o.CRC64)
	e.size(int64(o.Parts), MaxParts)
	e.time(o.Modified)
	e.versioned(&o.Attributes)
	e.versioned(&o.Encryption)
	e.versioned(&o.Checksum)
	e.bytes(o.MD5, maxChecksum)
	e.bytes(o.MAC, maxMAC)
	e.bytes(o.UploadMAC, maxMAC)
	e.string(o.PartAlgorithm, maxWord)
}

func (o *Object) decode(d *decoder, version byte) {
	o.Content = ContentID(d.fixed(16))
	o.Type = d.string(maxWord)
	o.ETag = d.string(maxWord)
	o.Size = d.size(math.MaxInt64)
	o.CRC64 = d.fixed64()
	o.Parts = int(d.size(MaxParts))
	o.Modified = d.time()
	d.versioned(&o.Attributes)
	d.versioned(&o.Encryption)
	d.versioned(&o.Checksum)
	o.MD5 = d.bytes(maxChecksum)
	o.MAC = d.bytes(maxMAC)
	o.UploadMAC = d.bytes(maxMAC)
	if version >= 2 {
		o.PartAlgorithm = d.string(maxWord)
	}
}

// Shared counts the objects that have a content, where that is more than one.
type Shared struct {
	Owners uint64
}

func (*Shared) version() byte { return 1 }

func (s *Shared) encode(e *encoder) { e.uint(s.Owners) }

func (s *Shared) decode(d *decoder, _ byte) { s.Owners = d.uint(math.MaxUint64) }

// Completed remembers an upload that has become an object, for the client that asks again.
type Completed struct {
	Bucket, Key string
	Generation  Generation // of the bucket
	List        [16]byte   // a digest of the list of parts
	Object      Object     // as it was made, without attributes and keys
}

func (*Completed) version() byte { return 1 }

func (c *Completed) encode(e *encoder) {
	e.string(c.Bucket, maxBucket)
	e.string(c.Key, maxObjectKey)
	e.fixed(c.Generation[:])
	e.fixed(c.List[:])
	e.versioned(&c.Object)
}

func (c *Completed) decode(d *decoder, _ byte) {
	c.Bucket = d.string(maxBucket)
	c.Key = d.string(maxObjectKey)
	c.Generation = Generation(d.fixed(16))
	c.List = [16]byte(d.fixed(16))
	d.versioned(&c.Object)
}

// Chunk says where a chunk is, how long it is there, and how many pages refer to it.
type Chunk struct {
	Volume  uint64
	Offset  uint32 // in the volume
	Stored  uint32
	Refs    uint64
	Damaged bool // reading it there has failed
}

func (*Chunk) version() byte { return 1 }

func (c *Chunk) encode(e *encoder) {
	e.uint(c.Volume)
	e.uint(uint64(c.Offset))
	e.size(int64(c.Stored), maxStored)
	e.uint(c.Refs)
	e.bool(c.Damaged)
}

func (c *Chunk) decode(d *decoder, _ byte) {
	c.Volume = d.uint(math.MaxUint64)
	c.Offset = uint32(d.uint(math.MaxUint32))
	c.Stored = uint32(d.uint(maxStored))
	c.Refs = d.uint(math.MaxUint64)
	c.Damaged = d.bool()
}

// Volume counts what lives in a volume.
type Volume struct {
	LiveBytes, LiveChunks int64
}

func (*Volume) version() byte { return 1 }

func (v *Volume) encode(e *encoder) {
	e.count(v.LiveBytes)
	e.count(v.LiveChunks)
}

func (v *Volume) decode(d *decoder, _ byte) {
	v.LiveBytes = d.count()
	v.LiveChunks = d.count()
}

// TrashKind says what the id of a Trash record names.
type TrashKind uint8

// The kinds of trash.
const (
	TrashContent  TrashKind = iota + 1 // the id is a ContentID: all its parts go
	TrashManifest                      // the id is a ManifestID: the pages of one part go
)

// Trash is something that waits to be reclaimed, or may have to be: see WaitingKey.
type Trash struct {
	Kind   TrashKind
	ID     [16]byte // a ContentID or ManifestID
	Queued time.Time
	Parts  int64 // that are still there; a manifest counts as one
	Bytes  int64 // sizes of these parts, as plaintext
}

func (*Trash) version() byte { return 1 }

func (t *Trash) encode(e *encoder) {
	if t.Kind != TrashContent && t.Kind != TrashManifest {
		e.fail("unknown kind of trash %d", t.Kind)
	}
	e.uint(uint64(t.Kind))
	e.fixed(t.ID[:])
	e.time(t.Queued)
	e.size(t.Parts, math.MaxInt32)
	e.size(t.Bytes, math.MaxInt64)
}

func (t *Trash) decode(d *decoder, _ byte) {
	t.Kind = TrashKind(d.uint(uint64(TrashManifest)))
	if t.Kind == 0 {
		d.fail(errNoKind)
	}
	t.ID = [16]byte(d.fixed(16))
	t.Queued = d.time()
	t.Parts = d.size(math.MaxInt32)
	t.Bytes = d.size(math.MaxInt64)
}

// Answer is the answer to a Complete that is remembered, in the queue of what is to be forgotten.
type Answer struct {
	Upload ContentID // the key of the Completed record
	Given  time.Time
}

func (*Answer) version() byte { return 1 }

func (a *Answer) encode(e *encoder) {
	e.fixed(a.Upload[:])
	e.time(a.Given)
}

func (a *Answer) decode(d *decoder, _ byte) {
	a.Upload = ContentID(d.fixed(16))
	a.Given = d.time()
}

// Idle names an upload in the table of idle uploads.
type Idle struct {
	Bucket, Key string
}

func (*Idle) version() byte { return 1 }

func (i *Idle) encode(e *encoder) {
	e.string(i.Bucket, maxBucket)
	e.string(i.Key, maxObjectKey)
}

func (i *Idle) decode(d *decoder, _ byte) {
	i.Bucket = d.string(maxBucket)
	i.Key = d.string(maxObjectKey)
}

func (*Ends) version() byte { return 1 }

func (n *Ends) encode(e *encoder) {
	e.uint(n.Head)
	e.uint(n.Tail)
}

func (n *Ends) decode(d *decoder, _ byte) {
	n.Head = d.uint(math.MaxUint64)
	n.Tail = d.uint(math.MaxUint64)
}

// Totals counts what the store holds.
type Totals struct {
	Objects, Uploads, Parts   int64
	Chunks, References        int64
	LogicalBytes, StoredBytes int64
	InlineBytes               int64
	Completed                 int64
	Damaged                   int64 // chunks whose record says so
	TrashParts, TrashBytes    int64 // of all Trash records
}

func (*Totals) version() byte { return 1 }

func (t *Totals) encode(e *encoder) {
	for _, v := range t.fields() {
		e.count(*v)
	}
}

func (t *Totals) decode(d *decoder, _ byte) {
	for _, v := range t.fields() {
		*v = d.count()
	}
}

// fields is the order of the counters on disk.
func (t *Totals) fields() [12]*int64 {
	return [...]*int64{
		&t.Objects, &t.Uploads, &t.Parts, &t.Chunks, &t.References, &t.LogicalBytes, &t.StoredBytes, &t.InlineBytes, &t.Completed,
		&t.Damaged, &t.TrashParts, &t.TrashBytes,
	}
}

// Add adds a change to each counter.
func (t *Totals) Add(delta Totals) {
	to, from := t.fields(), delta.fields()
	for i := range to {
		*to[i] += *from[i]
	}
}
