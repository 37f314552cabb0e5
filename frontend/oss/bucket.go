package oss

import (
	"cmp"
	"net/http"
	"strings"
	"time"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/internal/face"
)

// Annotations of buckets: what clients say of them, kept and answered.
const (
	annotationACL        = "oss-acl" // of objects, too
	annotationClass      = "oss-storage-class"
	annotationRedundancy = "oss-data-redundancy-type"
)

// owner owns all there is: accounts are not known here.
type owner struct {
	ID          string
	DisplayName string
}

func theOwner() owner { return owner{"gabion", "gabion"} }

// A bucketEntry describes a bucket in ListBuckets, and with more in GetBucketInfo.
type bucketEntry struct {
	Name             string
	CreationDate     string
	Location         string
	Region           string
	StorageClass     string
	ExtranetEndpoint string
	IntranetEndpoint string
}

func (c *call) bucketEntry(b engine.Bucket) bucketEntry {
	endpoint := strings.TrimPrefix(c.R.Host, c.Bucket+".")
	return bucketEntry{
		Name: b.Name, CreationDate: face.ISO(b.Created), Location: c.location(), Region: c.region,
		StorageClass:     cmp.Or(b.Annotations[annotationClass], string(engine.StorageStandard)),
		ExtranetEndpoint: endpoint, IntranetEndpoint: endpoint,
	}
}

func (c *call) location() string { return "oss-" + c.region }

func (c *call) listBuckets() {
	const byDefault, most = 100, 1000
	const inNames = "abcdefghijklmnopqrstuvwxyz0123456789-"
	n, prefix := cmp.Or(c.Number("max-keys"), byDefault), c.Query.Get("prefix")
	switch {
	case n < 0 || n > most:
		c.Fail(face.Invalid("max-keys", c.Query.Get("max-keys"), "max-keys must be 1 to 1000."))
	case strings.Trim(prefix, inNames) != "":
		c.Fail(face.Invalid("prefix", prefix, "No name of a bucket begins with the prefix."))
	}
	res := face.Do(c.Call, c.Engine.ListBuckets, &engine.ListBucketsRequest{
		Prefix: prefix, Marker: c.Query.Get("marker"), MaxBuckets: n,
	})
	c.answer("ListAllMyBucketsResult", struct {
		Owner          owner
		Prefix, Marker string
		MaxKeys        int
		IsTruncated    bool
		NextMarker     string
		Buckets        []bucketEntry `xml:"Buckets>Bucket"`
	}{
		theOwner(), res.Prefix, res.Marker, n, res.IsTruncated, res.NextMarker,
		face.Each(res.Buckets, c.bucketEntry),
	})
}

func (c *call) putBucket() {
	var asked struct{ StorageClass, DataRedundancyType string }
	if c.hasBody() {
		c.ReadXML(&asked, nil)
	}
	annotations := map[string]string{}
	for name, said := range map[string]string{
		annotationACL:        c.acl("Acl"),
		annotationClass:      asked.StorageClass,
		annotationRedundancy: asked.DataRedundancyType,
	} {
		if said != "" {
			annotations[name] = said
		}
	}
	face.Do(c.Call, c.Engine.CreateBucket, &engine.CreateBucketRequest{
		Bucket: c.Bucket, Rules: engine.OSS, Annotations: annotations, IfAbsent: true,
	})
	c.Say("Location", "/"+c.Bucket)
	c.Done(http.StatusOK)
}

func (c *call) deleteBucket() {
	face.Do(c.Call, c.Engine.DeleteBucket, &engine.DeleteBucketRequest{Bucket: c.Bucket})
	c.Done(http.StatusNoContent)
}

func (c *call) headBucket() *engine.Bucket {
	return face.Do(c.Call, c.Engine.HeadBucket, &engine.HeadBucketRequest{Bucket: c.Bucket})
}

func (c *call) getBucketInfo() {
	b := c.headBucket()
	type info struct {
		bucketEntry
		Owner              owner
		ACL                string `xml:"AccessControlList>Grant"`
		DataRedundancyType string
		Encryption         string `xml:"ServerSideEncryptionRule>SSEAlgorithm"`
		AccessMonitor      string
	}
	c.answer("BucketInfo", struct{ Bucket info }{info{
		c.bucketEntry(*b), theOwner(), aclOf(b.Annotations, aclPrivate),
		cmp.Or(b.Annotations[annotationRedundancy], "LRS"), "None", "Disabled",
	}})
}

func (c *call) getBucketLocation() {
	c.headBucket()
	c.answer("LocationConstraint", c.location())
}

// getBucketStat says what there is now, which is what LastModifiedTime means.
func (c *call) getBucketStat() {
	res := face.Do(c.Call, c.Engine.BucketStats, &engine.BucketStatsRequest{Bucket: c.Bucket})
	c.answer("BucketStat", struct {
		Storage, ObjectCount, MultipartUploadCount, LiveChannelCount, LastModifiedTime int64
		StandardStorage, StandardObjectCount                                           int64
	}{
		LastModifiedTime: time.Now().Unix(),
		Storage:          res.LogicalBytes, ObjectCount: res.Objects, MultipartUploadCount: res.Uploads,
		StandardStorage: res.LogicalBytes, StandardObjectCount: res.Objects,
	})
}

// getBucketVersioning says that versioning was never switched on.
func (c *call) getBucketVersioning() {
	c.headBucket()
	c.answer("VersioningConfiguration", struct{}{})
}

// listLiveChannel says that there is none, to clients that look for them before they delete a
// bucket.
func (c *call) listLiveChannel() {
	c.headBucket()
	c.answer("ListLiveChannelResult", struct{ IsTruncated bool }{})
}
