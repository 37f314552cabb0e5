package oss

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/internal/face"
)

// Access control lists of buckets and, with aclDefault, of objects. They are kept and answered.
const (
	aclPrivate         = "private"
	aclPublicRead      = "public-read"
	aclPublicReadWrite = "public-read-write"
	aclDefault         = "default"
)

// acl is the access control list that a header says, or nothing.
func (c *call) acl(header string, known ...string) string {
	acl := c.Header(header)
	known = append(known, "", aclPrivate, aclPublicRead, aclPublicReadWrite)
	if !slices.Contains(known, acl) {
		c.Fail(face.Invalid(
			"x-oss-"+strings.ToLower(header), acl, "no such access control exists",
		))
	}
	return acl
}

// aclOf is what annotations say of it.
func aclOf(annotations map[string]string, byDefault string) string {
	if acl, ok := annotations[annotationACL]; ok {
		return acl
	}
	return byDefault
}

// withACL are annotations that say it.
func withACL(annotations map[string]string, acl string) map[string]string {
	annotations = maps.Clone(annotations)
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[annotationACL] = acl
	return annotations
}

func (c *call) answerACL(acl string) {
	c.answer("AccessControlPolicy", struct {
		Owner owner
		Grant string `xml:"AccessControlList>Grant"`
	}{theOwner(), acl})
}

func (c *call) getBucketACL() {
	c.answerACL(aclOf(c.headBucket().Annotations, aclPrivate))
}

func (c *call) putBucketACL() {
	face.Do(c.Call, c.Engine.PutBucketAnnotations, &engine.PutBucketAnnotationsRequest{
		Bucket: c.Bucket, Annotations: withACL(c.headBucket().Annotations, c.acl("Acl")),
	})
	c.Done(http.StatusOK)
}

func (c *call) getObjectACL() {
	info := face.Do(c.Call, c.Engine.HeadObject, &engine.HeadObjectRequest{
		Bucket: c.Bucket, Key: c.Key,
	})
	c.answerACL(aclOf(info.Annotations, aclDefault))
}

func (c *call) putObjectACL() {
	info := face.Do(c.Call, c.Engine.HeadObject, &engine.HeadObjectRequest{
		Bucket: c.Bucket, Key: c.Key,
	})
	face.Do(c.Call, c.Engine.PutObjectAnnotations, &engine.PutObjectAnnotationsRequest{
		Bucket: c.Bucket, Key: c.Key,
		Annotations: withACL(info.Annotations, c.acl("Object-Acl", aclDefault)),
	})
	c.Done(http.StatusOK)
}
