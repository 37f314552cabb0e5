package face

import (
	"net/http"

	"github.com/gabion-storage/gabion/engine"
)

// What follows are operations that need no more than what the request is about, and are answered
// without a body. S3 has its own of those where its clients may say more, as a key of theirs.

// DeleteBucket deletes the bucket.
func (c *Call) DeleteBucket() {
	Do(c, c.Engine.DeleteBucket, &engine.DeleteBucketRequest{Bucket: c.Bucket})
	c.Done(http.StatusNoContent)
}

// DeleteObject deletes the object.
func (c *Call) DeleteObject() {
	Do(c, c.Engine.DeleteObject, &engine.DeleteObjectRequest{Bucket: c.Bucket, Key: c.Key})
	c.Done(http.StatusNoContent)
}

// PutObjectTagging replaces the tags of the object.
func (c *Call) PutObjectTagging() {
	Do(c, c.Engine.PutObjectTagging, &engine.PutObjectTaggingRequest{
		Bucket: c.Bucket, Key: c.Key, Tags: c.ReadTags(nil),
	})
	c.Done(http.StatusOK)
}

// DeleteObjectTagging deletes the tags of the object.
func (c *Call) DeleteObjectTagging() {
	Do(c, c.Engine.DeleteObjectTagging, &engine.DeleteObjectTaggingRequest{
		Bucket: c.Bucket, Key: c.Key,
	})
	c.Done(http.StatusNoContent)
}

// AbortMultipartUpload gives the upload up.
func (c *Call) AbortMultipartUpload() {
	Do(c, c.Engine.AbortMultipartUpload, &engine.AbortMultipartUploadRequest{
		Bucket: c.Bucket, Key: c.Key, UploadID: c.Query.Get("uploadId"),
	})
	c.Done(http.StatusNoContent)
}
