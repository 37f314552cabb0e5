package face

import (
	"net/http"

	"github.com/gabion-storage/gabion/engine"
)

// HeadBucket describes the bucket that the request is about.
func (c *Call) HeadBucket() *engine.Bucket {
	return Do(c, c.Engine.HeadBucket, &engine.HeadBucketRequest{Bucket: c.Bucket})
}

// What follows are operations that both services have alike, from the request to the answer.

// Nothing answers with an empty document what a bucket could have and never has.
func (c *Call) Nothing(root string) {
	c.HeadBucket()
	c.Answer(root, struct{}{})
}

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
		Bucket: c.Bucket, Key: c.Key, Tags: c.readTags(), SSECustomerKey: c.CustomerKey(),
	})
	c.Done(http.StatusOK)
}

// GetObjectTagging answers with the tags of the object.
func (c *Call) GetObjectTagging() {
	res := Do(c, c.Engine.GetObjectTagging, &engine.GetObjectTaggingRequest{
		Bucket: c.Bucket, Key: c.Key,
	})
	c.Answer("Tagging", tagsXML(res.Tags))
}

// DeleteObjectTagging deletes the tags of the object.
func (c *Call) DeleteObjectTagging() {
	Do(c, c.Engine.DeleteObjectTagging, &engine.DeleteObjectTaggingRequest{
		Bucket: c.Bucket, Key: c.Key, SSECustomerKey: c.CustomerKey(),
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
