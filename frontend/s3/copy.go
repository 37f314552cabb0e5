package s3

import (
	"strings"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/internal/face"
)

// source is what a copy is made of, if who sends the request may read it.
func (c *call) source() (bucket, key string) {
	bucket, key, query := c.Source()
	c.CheckVersion(strings.TrimPrefix(query, "versionId="))
	if c.Err == nil {
		c.Authorize("GetObject", bucket, key)
	}
	return bucket, key
}

// A copyResult describes what a copy has made.
type copyResult struct {
	LastModified, ETag string
	Sum                checksumXML
}

func (c *call) copyObject() {
	bucket, key := c.source()
	if c.preconditions() != (engine.Preconditions{}) {
		c.Fail(engine.ErrNotImplemented.Derive(
			"Conditions on the target of a copy are not implemented.", nil,
		))
	}
	made := face.Do(&c.Call, c.Engine.CopyObject, &engine.CopyObjectRequest{
		Bucket: c.Bucket, Key: c.Key, SourceBucket: bucket, SourceKey: key,
		Conditions:           c.Conditions("X-Amz-Copy-Source-"),
		SourceSSECustomerKey: c.keyIn(sourceCustomer),
		MetadataDirective:    engine.Directive(c.Header("Metadata-Directive")),
		TaggingDirective:     engine.Directive(c.Header("Tagging-Directive")),
		Attributes:           c.attributes(),
		EncryptionRequest:    c.encryption(),
		ChecksumAlgorithm:    c.askedChecksum().Algorithm,
	})
	c.sayEncryption(made.Encryption)
	c.answer("CopyObjectResult", copyResult{
		face.ISO(made.LastModified), face.Quoted(made.ETag), checksumXML(made.Checksum),
	})
}

func (c *call) uploadPartCopy() {
	bucket, key := c.source()
	made := face.Do(&c.Call, c.Engine.UploadPartCopy, &engine.UploadPartCopyRequest{
		Bucket: c.Bucket, Key: c.Key, UploadID: c.Query.Get("uploadId"),
		PartNumber: c.Number("partNumber"), SourceBucket: bucket, SourceKey: key,
		SourceRange:          c.Header("Copy-Source-Range"),
		Conditions:           c.Conditions("X-Amz-Copy-Source-"),
		SourceSSECustomerKey: c.keyIn(sourceCustomer),
		SSECustomerKey:       c.customerKey(),
	})
	c.sayEncryption(made.Encryption)
	c.answer("CopyPartResult", copyResult{
		face.ISO(made.LastModified), face.Quoted(made.ETag), checksumXML(made.Checksum),
	})
}
