package index

import (
	"math"
	"time"
)

// Limits of fields. They are generous: rules about what a client may send belong to the layer
// above. They are finite, so that a record of any content fits a transaction, and a damaged length
// never makes a reader allocate much.
const (
	MaxChunkSize   = 16 << 20 // bytes of a chunk before compression and sealing
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
	Records Encryption // the wrapped key for MACs of records without a data key, if there is one
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

	StorageClass string // of objects whose request names none; since version 3
}

func (*Bucket) version() byte { return 3 }

func (b *Bucket) encode(e *encoder) {
	e.time(b.Created)
	e.string(b.Rules, maxWord)
	e.string(b.Dedup, maxWord)
	e.fixed(b.Generation[:])
	e.texts(b.Annotations, maxTextEntries, maxTexts)
	e.string(b.StorageClass, maxWord)
}

func (b *Bucket) decode(d *decoder, version byte) {
	b.Created = d.time()
	b.Rules = d.string(maxWord)
	b.Dedup = d.string(maxWord)
	b.Generation = Generation(d.fixed(16))
	if version >= 2 {
		b.Annotations = d.texts(maxTextEntries, maxTexts)
	}
	if version >= 3 {
		b.StorageClass = d.string(maxWord)
	}
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
		&t.Objects, &t.Uploads, &t.Parts, &t.Chunks, &t.References, &t.LogicalBytes,
		&t.StoredBytes, &t.InlineBytes, &t.Completed, &t.Damaged, &t.TrashParts, &t.TrashBytes,
	}
}

// Add adds a change to each counter.
func (t *Totals) Add(delta Totals) {
	to, from := t.fields(), delta.fields()
	for i := range to {
		*to[i] += *from[i]
	}
}
