package oss

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/internal/face"
)

// annotationACL is what a bucket's or object's access control list is kept as.
const annotationACL = "oss-acl"

// acl is the access control list that a header says, or nothing. Objects may have that of their
// bucket, too: "default".
func (c *call) acl(header string) string {
	acl := c.Header(header)
	known := []string{"", "private", "public-read", "public-read-write"}
	if !slices.Contains(known, acl) && (acl != "default" || header != "Object-Acl") {
		c.Fail(face.Invalid(
			"x-oss-"+strings.ToLower(header), acl, "no such access control exists",
		))
	}
	return acl
}

// objectACL is the annotation of the list that a request says of an object, or nothing.
func (c *call) objectACL() map[string]string {
	if acl := c.acl("Object-Acl"); acl != "" {
		return map[string]string{annotationACL: acl}
	}
	return nil
}

func (c *call) answerACL(acl string) {
	c.Answer("AccessControlPolicy", struct {
		Owner face.Owner
		Grant string `xml:"AccessControlList>Grant"`
	}{face.Account, acl})
}

func (c *call) getBucketACL() {
	c.answerACL(cmp.Or(c.HeadBucket().Annotations[annotationACL], "private"))
}

// putBucketACL makes a bucket that is not there, as OSS does.
func (c *call) putBucketACL() {
	bucket := c.HeadBucket()
	if errors.Is(c.Err, engine.ErrNoSuchBucket) {
		c.Err = nil
		c.Authorize("CreateBucket", c.Bucket, "")
		c.putBucket()
		return
	}
	c.changeBucketACL(bucket)
	c.Done(http.StatusOK)
}

// changeBucketACL makes what the request says of a bucket's list, if anything, that of the bucket.
func (c *call) changeBucketACL(bucket *engine.Bucket) {
	acl := c.acl("Acl")
	if acl == "" {
		return
	}
	c.Authorize("PutBucketAnnotations", c.Bucket, "") // CreateBucket was asked for, perhaps
	annotations := map[string]string{}
	maps.Copy(annotations, bucket.Annotations)
	annotations[annotationACL] = acl
	face.Do(&c.Call, c.Engine.PutBucketAnnotations, &engine.PutBucketAnnotationsRequest{
		Bucket: c.Bucket, Annotations: annotations,
	})
}

func (c *call) getObjectACL() {
	c.answerACL(cmp.Or(c.object().Annotations[annotationACL], "default"))
}

func (c *call) putObjectACL() {
	if c.Header("Object-Acl") == "" {
		c.Fail(face.Refuse(http.StatusBadRequest, "MissingArgument",
			"Missing Some Required Arguments."))
	}
	face.Do(&c.Call, c.Engine.PutObjectAnnotations, &engine.PutObjectAnnotationsRequest{
		Bucket: c.Bucket, Key: c.Key, Annotations: c.objectACL(),
	})
	c.Done(http.StatusOK)
}
