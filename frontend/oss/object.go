package oss

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/internal/face"
)

// attributes are what the request says of an object.
func (c *call) attributes() engine.Attributes {
	a := c.Attributes()
	a.Annotations = c.objectACL()
	return a
}

// encryption is how the request wants the object encrypted.
func (c *call) encryption() engine.EncryptionRequest {
	if c.Header("Server-Side-Data-Encryption") != "" {
		c.Fail(face.NotOffered("x-oss-server-side-data-encryption"))
	}
	e := engine.EncryptionRequest{
		ServerSideEncryption: engine.EncryptionAlgorithm(c.Header("Server-Side-Encryption")),
	}
	if e.ServerSideEncryption != engine.EncryptionAES256 { // else it is what was said before, perhaps
		e.ServerSideEncryptionKeyID = c.Header("Server-Side-Encryption-Key-Id")
	}
	return e
}

// refuseEncryption fails the call if it says how to encrypt, which an upload has said already.
func (c *call) refuseEncryption() {
	for _, header := range [...]string{"Server-Side-Encryption", "Server-Side-Data-Encryption"} {
		if said := c.Header(header); said != "" {
			c.Fail(face.Invalid("x-oss-"+strings.ToLower(header), said,
				"Encryption is said when an upload is initiated."))
		}
	}
}

// forbidOverwrite says whether the request must not replace an object.
func (c *call) forbidOverwrite() bool {
	return strings.EqualFold(c.Header("Forbid-Overwrite"), "true")
}

// size is the length of the body: not known of a chunked one, which OSS takes.
func (c *call) size() int64 {
	if len(c.R.TransferEncoding) > 0 {
		return 0
	}
	return c.Size()
}

// crc64 is what the request says of the body's CRC-64, or nil.
func (c *call) crc64() *uint64 {
	text := c.Header("Hash-Crc64ecma")
	if text == "" {
		return nil
	}
	sum, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		c.Fail(engine.ErrInvalidCRC64)
	}
	return &sum
}

// sayContent sets the headers of a content that is stored, or read.
func (c *call) sayContent(etag string, crc64 uint64, md5 string, e *engine.Encryption) {
	c.Say("Etag", face.Quoted(etag))
	c.Say(own+"Hash-Crc64ecma", strconv.FormatUint(crc64, 10))
	c.Say("Content-Md5", md5)
	c.sayEncryption(e)
}

func (c *call) sayEncryption(e *engine.Encryption) {
	c.Say(own+"Server-Side-Encryption", string(e.ServerSideEncryption))
	c.Say(own+"Server-Side-Encryption-Key-Id", e.ServerSideEncryptionKeyID)
}

func (c *call) putObject() {
	c.store()
	c.Done(http.StatusOK)
}

// postObject stores what a form has. Two fields are S3's alone: no policy of OSS's judges them.
func (c *call) postObject() {
	delete(c.Form, "tagging")
	delete(c.Form, "redirect")
	c.SayPosted(c.store().ETag)
}

// store stores the body.
func (c *call) store() *engine.PutObjectResult {
	if c.Conditions("") != (engine.Conditions{}) {
		c.Fail(engine.ErrNotImplemented.Derive(
			"A header you provided implies functionality that is not implemented.", nil,
		))
	}
	res := face.Do(&c.Call, c.Engine.PutObject, &engine.PutObjectRequest{
		Bucket: c.Bucket, Key: c.Key, Body: c.Body, Size: c.size(),
		ContentMD5: c.R.Header.Get("Content-Md5"), CRC64: c.crc64(),
		Attributes: c.attributes(), EncryptionRequest: c.encryption(),
		Preconditions: engine.Preconditions{ForbidOverwrite: c.forbidOverwrite()},
	})
	c.sayContent(res.ETag, res.CRC64, res.ContentMD5, &res.Encryption)
	return res
}

// sayObject sets the headers of an object that is read, and returns the status.
func (c *call) sayObject(o *engine.ObjectInfo) (status int) {
	status = c.SayObject(o)
	c.sayContent(o.ETag, o.CRC64, o.ContentMD5, &o.Encryption)
	c.Say(own+"Object-Type", string(o.Type))
	return status
}

func (c *call) getObject() { c.SendObject(c.sayObject) }

// object describes the object that the request is about, if its conditions hold.
func (c *call) object() *engine.ObjectInfo {
	return face.Do(&c.Call, c.Engine.HeadObject, &engine.HeadObjectRequest{
		Bucket: c.Bucket, Key: c.Key, Conditions: c.Conditions(""),
	})
}

func (c *call) headObject() { c.Done(c.sayObject(c.object())) }

// getObjectMeta says less of an object than HeadObject.
func (c *call) getObjectMeta() {
	o := c.object()
	c.SayModified(o.ETag, o.LastModified)
	c.Say("Content-Length", strconv.FormatInt(o.Size, 10))
	c.Say(own+"Hash-Crc64ecma", strconv.FormatUint(o.CRC64, 10))
	c.Done(http.StatusOK)
}

// directive is whose attributes a copy has. OSS forgives the case.
func (c *call) directive(header string) engine.Directive {
	return engine.Directive(strings.ToUpper(c.Header(header)))
}

// A copied document answers copies.
type copied struct{ ETag, LastModified string }

func (c *call) copyObject() {
	bucket, key := c.Source()
	res := face.Do(&c.Call, c.Engine.CopyObject, &engine.CopyObjectRequest{
		Bucket: c.Bucket, Key: c.Key, SourceBucket: bucket, SourceKey: key,
		Conditions:        c.Conditions(own + "Copy-Source-"),
		MetadataDirective: c.directive("Metadata-Directive"),
		TaggingDirective:  c.directive("Tagging-Directive"),
		Attributes:        c.attributes(), EncryptionRequest: c.encryption(),
		ForbidOverwrite: c.forbidOverwrite(),
	})
	c.sayContent(res.ETag, res.CRC64, "", &res.Encryption)
	c.Answer("CopyObjectResult", copied{face.Quoted(res.ETag), face.ISO(res.LastModified)})
}
