package face

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"net/url"
	"strings"

	"github.com/gabion-storage/gabion/engine"
)

// A Name is a key, or a part of one, in a document that is there for keys. XML does not have all
// characters of keys: both services write references to them nevertheless, which some clients read.
// Parsers that are strict read nothing of such a document, so that an error, or the answer to an upload,
// has U+FFFD in their place: its client knows the key, and needs the rest.
type Name string

// UnmarshalText reads a text of ReadRaw.
func (n *Name) UnmarshalText(text []byte) error {
	plain, err := unescape(string(text))
	*n = Name(plain)
	return err
}

// MarshalXML writes an element.
func (n Name) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	if !strings.ContainsFunc(string(n), notInXML) {
		return e.EncodeElement(string(n), start)
	}
	var text strings.Builder
	for _, c := range string(n) {
		if notInXML(c) {
			fmt.Fprintf(&text, "&#x%X;", c)
		} else {
			_ = xml.EscapeText(&text, []byte(string(c))) // into memory
		}
	}
	return e.EncodeElement(struct {
		Text string `xml:",innerxml"`
	}{text.String()}, start)
}

// Namer returns how listings write names: as they are, or as encoding-type says, encoded as in
// URLs.
func (c *Call) Namer() func(string) Name {
	switch encoding := c.Query.Get("encoding-type"); encoding {
	case "url":
		return func(name string) Name {
			// Clients differ in whether a + is a space, so there is none.
			name = strings.ReplaceAll(url.QueryEscape(name), "+", "%20")
			if !c.EscapeSlash {
				name = strings.ReplaceAll(name, "%2F", "/")
			}
			return Name(name)
		}
	case "":
	default:
		c.Fail(Invalid("encoding-type", encoding, "Invalid Encoding Method specified in Request"))
	}
	return func(name string) Name { return Name(name) }
}

// ListObjects lists the objects behind a marker, as the query asks for them.
func (c *Call) ListObjects(marker string) *engine.ListObjectsResult {
	return Do(c, c.Engine.ListObjects, &engine.ListObjectsRequest{
		Bucket: c.Bucket, Prefix: c.Query.Get("prefix"), Delimiter: c.Query.Get("delimiter"),
		Marker: marker, MaxKeys: c.Number("max-keys"),
	})
}

// ListMultipartUploads lists the uploads that the query asks for.
func (c *Call) ListMultipartUploads() *engine.ListMultipartUploadsResult {
	return Do(c, c.Engine.ListMultipartUploads, &engine.ListMultipartUploadsRequest{
		Bucket: c.Bucket, Prefix: c.Query.Get("prefix"), Delimiter: c.Query.Get("delimiter"),
		KeyMarker: c.Query.Get("key-marker"), UploadIDMarker: c.Query.Get("upload-id-marker"),
		MaxUploads: c.Number("max-uploads"),
	})
}

// ListParts lists the parts of the upload that the query asks for.
func (c *Call) ListParts() *engine.ListPartsResult {
	return Do(c, c.Engine.ListParts, &engine.ListPartsRequest{
		Bucket: c.Bucket, Key: c.Key, UploadID: c.Query.Get("uploadId"),
		PartNumberMarker: max(c.Number("part-number-marker"), 0), // 0 is the one before all
		MaxParts:         c.Number("max-parts"),
	})
}

// Each makes an entry of an answer of each of the engine's.
func Each[T, Entry any](list []T, entry func(T) Entry) []Entry {
	entries := make([]Entry, len(list))
	for i, t := range list {
		entries[i] = entry(t)
	}
	return entries
}

// A Prefix is a common prefix of a listing.
type Prefix struct{ Prefix Name }

// Prefixes are the common prefixes of a listing, by names as Namer writes them.
func Prefixes(list []string, name func(string) Name) []Prefix {
	return Each(list, func(prefix string) Prefix { return Prefix{name(prefix)} })
}

// Token is where a listing goes on, as clients say it again without looking into it.
func Token(marker string) string { return base64.URLEncoding.EncodeToString([]byte(marker)) }

// Marker is what the client's token stands for.
func (c *Call) Marker() string {
	token := c.Query.Get("continuation-token")
	marker, err := base64.URLEncoding.DecodeString(token)
	if err != nil {
		c.Fail(Invalid("continuation-token", token, "The continuation token provided is incorrect."))
	}
	return string(marker)
}

// ReadParts reads the list of parts of CompleteMultipartUpload. Parts of S3 may have checksums.
func (c *Call) ReadParts() []engine.CompletedPart {
	type part struct {
		PartNumber *int
		ETag       *string
		Others     []element `xml:",any"`
	}
	var list struct {
		XMLName xml.Name `xml:"CompleteMultipartUpload"`
		Parts   []part   `xml:"Part"`
	}
	c.parse(c.readAll(), &list) // the checksum in the headers is that of the object
	return Each(list.Parts, func(p part) engine.CompletedPart {
		sum := c.partChecksum(p.Others)
		listed := engine.CompletedPart{Checksum: sum.Value, ChecksumAlgorithm: sum.Algorithm}
		if p.PartNumber != nil {
			listed.PartNumber = *p.PartNumber
		}
		if p.ETag != nil {
			listed.ETag = *p.ETag
		}
		if c.NeedParts && (p.PartNumber == nil || p.ETag == nil) {
			c.Fail(engine.ErrMalformedXML)
		}
		return listed
	})
}
