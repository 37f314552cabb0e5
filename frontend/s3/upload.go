package s3

import (
	"net/http"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/internal/face"
)

func (c *call) createMultipartUpload() {
	kind := c.checksumType()
	if kind != "" && c.Header("Checksum-Algorithm") == "" {
		c.invalid("The x-amz-checksum-type header can only be used with the " +
			"x-amz-checksum-algorithm header.")
	}
	up := face.Do(&c.Call, c.Engine.InitiateMultipartUpload, &engine.InitiateMultipartUploadRequest{
		Bucket: c.Bucket, Key: c.Key, Attributes: c.attributes(), EncryptionRequest: c.encryption(),
		Checksum: engine.Checksum{
			Algorithm: c.algorithm(c.Header("Checksum-Algorithm"), unsupported), Type: kind,
		},
	})
	c.sayEncryption(up.Encryption)
	c.Say("X-Amz-Checksum-Algorithm", string(up.Checksum.Algorithm))
	c.Say("X-Amz-Checksum-Type", string(up.Checksum.Type))
	c.Answer("InitiateMultipartUploadResult", struct {
		Bucket, Key string
		UploadID    string `xml:"UploadId"`
	}{up.Bucket, up.Key, up.UploadID})
}

func (c *call) uploadPart() {
	part := face.Do(&c.Call, c.Engine.UploadPart, &engine.UploadPartRequest{
		Bucket: c.Bucket, Key: c.Key, UploadID: c.Query.Get("uploadId"),
		PartNumber: c.Number("partNumber"), Body: c.Body, Size: c.Size(),
		ContentMD5: c.R.Header.Get("Content-Md5"), Checksum: c.checksum(),
		SSECustomerKey: c.CustomerKey(),
	})
	c.say(part.ETag, part.Checksum, part.Encryption)
	c.Done(http.StatusOK)
}

func (c *call) uploadPartCopy() {
	bucket, key := c.Source()
	made := face.Do(&c.Call, c.Engine.UploadPartCopy, &engine.UploadPartCopyRequest{
		Bucket: c.Bucket, Key: c.Key, UploadID: c.Query.Get("uploadId"),
		PartNumber: c.Number("partNumber"), SourceBucket: bucket, SourceKey: key,
		SourceRange:          c.Header("Copy-Source-Range"),
		Conditions:           c.Conditions("X-Amz-Copy-Source-"),
		SourceSSECustomerKey: c.SourceCustomerKey(),
		SSECustomerKey:       c.CustomerKey(),
	})
	c.sayEncryption(made.Encryption)
	c.Answer("CopyPartResult", copyResult{
		face.ISO(made.LastModified), face.Quoted(made.ETag), face.Checksum(made.Checksum),
	})
}

func (c *call) completeMultipartUpload() {
	sum := c.checksum() // the object's, not that of the request's body
	sum.Type = c.checksumType()
	done := face.Do(&c.Call, c.Engine.CompleteMultipartUpload, &engine.CompleteMultipartUploadRequest{
		Bucket: c.Bucket, Key: c.Key, UploadID: c.Query.Get("uploadId"), Parts: c.ReadParts(),
		Size: c.ParseSize("x-amz-mp-object-size", c.Header("Mp-Object-Size")), Checksum: sum,
		Preconditions: c.preconditions(), SSECustomerKey: c.CustomerKey(),
	})
	c.sayEncryption(done.Encryption)
	c.Answer("CompleteMultipartUploadResult", struct {
		Location, Bucket, Key, ETag string
		Sum                         face.Checksum
	}{
		c.Location(), done.Bucket, done.Key, face.Quoted(done.ETag), face.Checksum(done.Checksum),
	})
}
