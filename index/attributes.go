package index

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
