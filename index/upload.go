package index

import "time"

// Upload is an open upload.
type Upload struct {
	Generation Generation // of its bucket
	Initiated  time.Time
	Attributes Attributes
	Encryption Encryption
	Checksum   Checksum
	Sequential bool // parts come in order

	// Digest is the MD5 under way of a sequential upload, as crypto/md5 marshals it; sealed if the
	// upload is encrypted.
	Digest []byte

	MD5     []byte    // of a sequential upload: the MD5 of the parts so far; none without parts
	Watched time.Time // under which it stands in the table of idle uploads; zero if it does not
	MAC     []byte    // of what was said at its start, if the upload is encrypted or the store has a key
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
