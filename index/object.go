package index

import (
	"math"
	"time"
)

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
