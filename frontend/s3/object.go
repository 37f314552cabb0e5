package s3

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/internal/face"
)

func (c *call) putObject() {
	c.store()
	c.Done(http.StatusOK)
}

// postObject stores what a form has.
func (c *call) postObject() { c.SayPosted(c.store().ETag) }

// store stores the body.
func (c *call) store() *engine.PutObjectResult {
	put := face.Do(&c.Call, c.Engine.PutObject, &engine.PutObjectRequest{
		Bucket: c.Bucket, Key: c.Key, Body: c.Body, Size: c.Size(),
		ContentMD5: c.R.Header.Get("Content-Md5"), Checksum: c.checksum(),
		Attributes: c.attributes(), EncryptionRequest: c.encryption(),
		Preconditions: c.preconditions(),
	})
	c.say(put.ETag, put.Checksum, put.Encryption)
	return put
}

// say says in headers what has been stored.
func (c *call) say(etag string, sum engine.Checksum, e engine.Encryption) {
	c.Say("ETag", face.Quoted(etag))
	c.sayChecksum(sum)
	c.sayEncryption(e)
}

// A copyResult describes what a copy has made.
type copyResult struct {
	LastModified, ETag string
	Sum                face.Checksum
}

func (c *call) copyObject() {
	bucket, key := c.Source()
	made := face.Do(&c.Call, c.Engine.CopyObject, &engine.CopyObjectRequest{
		Bucket: c.Bucket, Key: c.Key, SourceBucket: bucket, SourceKey: key,
		Conditions:           c.Conditions("X-Amz-Copy-Source-"),
		SourceSSECustomerKey: c.SourceCustomerKey(),
		MetadataDirective:    engine.Directive(c.Header("Metadata-Directive")),
		TaggingDirective:     engine.Directive(c.Header("Tagging-Directive")),
		Attributes:           c.attributes(),
		EncryptionRequest:    c.encryption(),
		ChecksumAlgorithm:    c.algorithm(c.Header("Checksum-Algorithm"), unsupported),
	})
	c.sayEncryption(made.Encryption)
	c.Answer("CopyObjectResult", copyResult{
		face.ISO(made.LastModified), face.Quoted(made.ETag), face.Checksum(made.Checksum),
	})
}

func (c *call) getObject() {
	c.RefuseOnRead("Server-Side-Encryption")
	c.SendObject(c.describe)
}

func (c *call) headObject() {
	c.RefuseOnRead("Server-Side-Encryption")
	c.Done(c.describe(c.HeadObject()))
}

// describe sets the headers of an object that is read, and returns the status.
func (c *call) describe(o *engine.ObjectInfo) (status int) {
	if o.StorageClass == engine.StorageS3Standard {
		o.StorageClass = "" // which is not said
	}
	sum := o.Checksum
	status = c.SayObject(o)
	if o.Selected != nil {
		sum = o.Selected.Checksum
	}
	if strings.EqualFold(c.Header("Checksum-Mode"), "ENABLED") {
		c.sayChecksum(sum)
	}
	if o.Type == engine.ObjectMultipart && c.Query.Has("partNumber") {
		c.Say("X-Amz-Mp-Parts-Count", strconv.Itoa(o.Parts))
	}
	c.sayEncryption(o.Encryption)
	return status
}

func (c *call) deleteObject() {
	on := c.preconditions()
	if on.IfNoneMatch != "" {
		c.Fail(errDeletion)
	}
	face.Do(&c.Call, c.Engine.DeleteObject, &engine.DeleteObjectRequest{
		Bucket: c.Bucket, Key: c.Key, IfMatch: on.IfMatch,
	})
	c.Done(http.StatusNoContent)
}

// errDeletion is for conditions that no deletion has, or only one in a directory bucket.
var errDeletion = face.NotOffered("A deletion on such conditions")

// deleteObjects deletes several. Each that the client may not delete is an error of its own.
func (c *call) deleteObjects() {
	list, quiet := c.ReadDeletions()
	if c.Err != nil {
		return
	}
	type key struct{ Key face.Name }
	var answer struct {
		Deleted []key
		Error   []face.Failure
	}
	req := &engine.DeleteObjectsRequest{Bucket: c.Bucket, Quiet: quiet}
	for _, o := range list {
		each, name := *c, string(o.Key)
		if each.CheckVersion(string(o.VersionID)); o.Size != "" || o.LastModifiedTime != "" {
			each.Fail(errDeletion)
		}
		if each.Authorize("DeleteObject", c.Bucket, name); each.Err != nil {
			answer.Error = append(answer.Error, face.Failed(name, face.InS3(face.AsError(each.Err))))
			continue
		}
		req.Keys, req.IfMatch = append(req.Keys, name), append(req.IfMatch, string(o.ETag))
	}
	if len(req.Keys) == 0 {
		c.HeadBucket()
	} else {
		deleted := face.Do(&c.Call, c.Engine.DeleteObjects, req)
		answer.Deleted = face.Each(deleted.Deleted, func(k string) key { return key{face.Name(k)} })
		for _, e := range deleted.Errors {
			answer.Error = append(answer.Error, face.Failed(e.Key, face.InS3(face.AsError(e.Err))))
		}
	}
	c.Answer("DeleteResult", answer)
}

// getObjectAttributes says of an object what a header asks for. Parts are listed if they have
// checksums, as S3 does.
func (c *call) getObjectAttributes() {
	known := []string{"Checksum", "ETag", "ObjectParts", "ObjectSize", "StorageClass"}
	asked := strings.Split(strings.ReplaceAll(c.Header("Object-Attributes"), " ", ""), ",")
	for _, name := range asked {
		switch {
		case c.Header("Object-Attributes") == "":
			c.HeadBucket() // which S3 looks for first
			c.invalid("The x-amz-object-attributes header specifying the attributes to be retrieved " +
				"is either missing or empty")
		case !slices.Contains(known, name):
			c.Fail(face.Invalid("x-amz-object-attributes", name, "Invalid attribute name specified."))
		}
	}
	req := &engine.ListObjectPartsRequest{
		Bucket: c.Bucket, Key: c.Key, SSECustomerKey: c.CustomerKey(), Conditions: c.Conditions(""),
		PartNumberMarker: max(c.ParseNumber("x-amz-part-number-marker", c.Header("Part-Number-Marker")), 0),
		MaxParts:         c.ParseNumber("x-amz-max-parts", c.Header("Max-Parts")),
	}
	if !slices.Contains(asked, "ObjectParts") {
		req.MaxParts = 1 // which costs least
	}
	o := face.Do(&c.Call, c.Engine.ListObjectParts, req)
	type part struct {
		PartNumber int
		Size       int64
		Sum        face.Checksum
	}
	type parts struct {
		PartsCount, PartNumberMarker, NextPartNumberMarker, MaxParts int
		IsTruncated                                                  bool
		Part                                                         []part
	}
	var answer struct {
		ETag         string `xml:",omitempty"`
		Checksum     *struct{ Sum face.Checksum }
		ObjectParts  *parts
		StorageClass engine.StorageClass `xml:",omitempty"`
		ObjectSize   *int64
	}
	for _, name := range asked {
		switch name {
		case "ETag":
			answer.ETag = o.ETag
		case "Checksum":
			answer.Checksum = &struct{ Sum face.Checksum }{face.Checksum(o.Checksum)}
		case "StorageClass":
			answer.StorageClass = o.StorageClass
		case "ObjectSize":
			answer.ObjectSize = &o.Size
		case "ObjectParts":
			if o.Type != engine.ObjectMultipart {
				continue
			}
			answer.ObjectParts = &parts{
				o.Parts, o.PartNumberMarker, o.NextPartNumberMarker, o.MaxParts, o.IsTruncated, nil,
			}
			for _, p := range o.ObjectParts {
				if p.Checksum.Value != "" {
					of := part{p.PartNumber, p.Size, face.Checksum(p.Checksum)}
					answer.ObjectParts.Part = append(answer.ObjectParts.Part, of)
				}
			}
		}
	}
	c.SayModified("", o.LastModified)
	c.Answer("GetObjectAttributesResponse", answer)
}
