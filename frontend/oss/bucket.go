package oss

import (
	"cmp"
	"net/http"
	"strings"
	"time"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/internal/face"
)

// annotationRedundancy is what the redundancy that is said of a bucket is kept as.
const annotationRedundancy = "oss-data-redundancy-type"

// A bucketEntry describes a bucket in ListBuckets, and with more in GetBucketInfo.
type bucketEntry struct {
	Name, CreationDate, Location, Region string
	StorageClass                         engine.StorageClass
	ExtranetEndpoint, IntranetEndpoint   string
}

func (c *call) bucketEntry(b engine.Bucket) bucketEntry {
	endpoint := strings.TrimPrefix(c.R.Host, c.Bucket+".")
	return bucketEntry{
		b.Name, face.ISO(b.Created), "oss-" + c.region, c.region, b.StorageClass, endpoint, endpoint,
	}
}

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
	res := face.Do(&c.Call, c.Engine.ListBuckets, &engine.ListBucketsRequest{
		Prefix: prefix, Marker: c.Query.Get("marker"), MaxBuckets: n,
	})
	c.Answer("ListAllMyBucketsResult", struct {
		Owner          face.Owner
		Prefix, Marker string
		MaxKeys        int
		IsTruncated    bool
		NextMarker     string
		Buckets        []bucketEntry `xml:"Buckets>Bucket"`
	}{
		face.Account, res.Prefix, res.Marker, n, res.IsTruncated, res.NextMarker,
		face.Each(res.Buckets, c.bucketEntry),
	})
}

func (c *call) putBucket() {
	var asked struct {
		StorageClass                           engine.StorageClass
		DataRedundancyType, LocationConstraint string
	}
	if c.HasBody() {
		c.ReadXML(&asked)
	}
	if asked.LocationConstraint != "" && asked.LocationConstraint != "oss-"+c.region {
		c.Fail(face.Refuse(http.StatusBadRequest, "InvalidLocationConstraint",
			"The specified location-constraint is not valid."))
	}
	annotations := map[string]string{
		annotationACL: c.acl("Acl"), annotationRedundancy: asked.DataRedundancyType,
	}
	res := face.Do(&c.Call, c.Engine.CreateBucket, &engine.CreateBucketRequest{
		Bucket: c.Bucket, Rules: engine.OSS, StorageClass: asked.StorageClass,
		Annotations: annotations, IfAbsent: true,
	})
	if res.Existed {
		bucket := c.HeadBucket()
		if asked.StorageClass != "" && asked.StorageClass != bucket.StorageClass {
			c.Fail(engine.ErrBucketAlreadyExists.Derive(
				"Cannot modify existing bucket's storage class.", nil,
			))
		}
		c.changeBucketACL(bucket)
	}
	c.Say("Location", "/"+c.Bucket)
	c.Done(http.StatusOK)
}

// headBucket says in headers where the bucket is.
func (c *call) headBucket() {
	c.HeadBucket()
	c.Say(own+"Bucket-Region", "oss-"+c.region)
	c.Done(http.StatusOK)
}

func (c *call) getBucketInfo() {
	type info struct {
		bucketEntry
		Owner              face.Owner
		ACL                string `xml:"AccessControlList>Grant"`
		DataRedundancyType string
		Encryption         string `xml:"ServerSideEncryptionRule>SSEAlgorithm"`

		AccessMonitor, CrossRegionReplication, TransferAcceleration string

		Comment           string
		ResourceGroupID   string `xml:"ResourceGroupId"`
		BlockPublicAccess bool
	}
	b := c.HeadBucket()
	c.Answer("BucketInfo", struct{ Bucket info }{info{
		c.bucketEntry(*b), face.Account, cmp.Or(b.Annotations[annotationACL], "private"),
		cmp.Or(b.Annotations[annotationRedundancy], "LRS"),
		"None", "Disabled", "Disabled", "Disabled", "", "rg-default-id", false,
	}})
}

func (c *call) getBucketLocation() {
	c.HeadBucket()
	c.Answer("LocationConstraint", "oss-"+c.region)
}

// getBucketStat says what there is now, which is what LastModifiedTime means. No class is billed for
// more than it has, so Storage is RealStorage.
func (c *call) getBucketStat() {
	res := face.Do(&c.Call, c.Engine.BucketStats, &engine.BucketStatsRequest{Bucket: c.Bucket})
	standard, ia := res.Classes[engine.StorageStandard], res.Classes[engine.StorageIA]
	archive, cold := res.Classes[engine.StorageArchive], res.Classes[engine.StorageColdArchive]
	deep := res.Classes[engine.StorageDeepColdArchive]
	c.Answer("BucketStat", struct {
		Storage, ObjectCount, MultipartUploadCount, LiveChannelCount, LastModifiedTime    int64
		StandardStorage, StandardObjectCount                                              int64
		InfrequentAccessStorage, InfrequentAccessRealStorage, InfrequentAccessObjectCount int64
		ArchiveStorage, ArchiveRealStorage, ArchiveObjectCount                            int64
		ColdArchiveStorage, ColdArchiveRealStorage, ColdArchiveObjectCount                int64
		DeepColdArchiveStorage, DeepColdArchiveRealStorage, DeepColdArchiveObjectCount    int64
		DeleteMarkerCount                                                                 int64
	}{
		res.LogicalBytes, res.Objects, res.Uploads, 0, time.Now().Unix(),
		standard.LogicalBytes, standard.Objects,
		ia.LogicalBytes, ia.LogicalBytes, ia.Objects,
		archive.LogicalBytes, archive.LogicalBytes, archive.Objects,
		cold.LogicalBytes, cold.LogicalBytes, cold.Objects,
		deep.LogicalBytes, deep.LogicalBytes, deep.Objects, 0,
	})
}
