package s3

import (
	"cmp"
	"encoding/xml"
	"errors"
	"net/http"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/internal/face"
)

// location is the annotation of a bucket that says where its creator wanted it; "" is us-east-1.
const location = "s3.location"

// createBucket creates a bucket under S3's rules. Everybody who comes in is one account, so a
// bucket that is there is the client's own. One of us-east-1 may be created again.
func (c *call) createBucket() {
	var configuration struct {
		XMLName            xml.Name `xml:"CreateBucketConfiguration"`
		LocationConstraint string
		Tags               []struct{} `xml:"Tags>Tag"`
	}
	if c.HasBody() {
		c.ReadXML(&configuration)
	}
	if len(configuration.LocationConstraint) > 63 { // as a label of a host name: regions are
		c.Fail(face.Refuse(http.StatusBadRequest, "InvalidLocationConstraint",
			"The specified location-constraint is not valid"))
	}
	if len(configuration.Tags) > 0 {
		c.Fail(face.NotOffered("A bucket with tags"))
	}
	if c.CheckPrivate(); c.Err == face.ErrNotPrivate {
		c.Err = face.Refuse(http.StatusBadRequest, "InvalidBucketAclWithObjectOwnership",
			"Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting")
	}
	made := face.Do(&c.Call, c.Engine.CreateBucket, &engine.CreateBucketRequest{
		Bucket: c.Bucket, Rules: engine.S3, IfAbsent: configuration.LocationConstraint == "",
		Annotations: map[string]string{location: configuration.LocationConstraint},
	})
	elsewhere := made.Existed && c.HeadBucket().Annotations[location] != ""
	if elsewhere || errors.Is(c.Err, engine.ErrBucketAlreadyExists) {
		c.Err = face.Refuse(http.StatusConflict, "BucketAlreadyOwnedByYou",
			"Your previous request to create the named bucket succeeded and you already own it.")
	}
	c.Say("Location", "/"+c.Bucket)
	c.Say("X-Amz-Bucket-Arn", "arn:aws:s3:::"+c.Bucket)
	c.Done(http.StatusOK)
}

func (c *call) headBucket() {
	c.Say("X-Amz-Bucket-Region", cmp.Or(c.HeadBucket().Annotations[location], "us-east-1"))
	c.Done(http.StatusOK)
}

func (c *call) getBucketLocation() {
	c.Answer("LocationConstraint", c.HeadBucket().Annotations[location])
}

func (c *call) listBuckets() {
	page := face.Do(&c.Call, c.Engine.ListBuckets, &engine.ListBucketsRequest{
		Prefix: c.Query.Get("prefix"), Marker: c.Marker(),
		MaxBuckets: c.NumberUpTo("max-buckets", engine.MaxBucketListing),
	})
	type bucket struct{ Name, CreationDate, BucketRegion string }
	buckets := face.Each(page.Buckets, func(b engine.Bucket) bucket {
		return bucket{b.Name, face.ISO(b.Created), cmp.Or(b.Annotations[location], "us-east-1")}
	})
	c.Answer("ListAllMyBucketsResult", struct {
		Owner                     face.Owner
		Buckets                   []bucket `xml:"Buckets>Bucket"`
		ContinuationToken, Prefix string   `xml:",omitempty"`
	}{face.Account, buckets, face.Token(page.NextMarker), page.Prefix})
}
