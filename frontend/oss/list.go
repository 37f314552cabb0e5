package oss

import (
	"cmp"
	"net/http"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/internal/face"
)

// A listing is what the three listings of objects have in common.
type listing struct {
	Name              string
	Prefix, Delimiter face.Name
	MaxKeys           int
	EncodingType      string `xml:",omitempty"`
	IsTruncated       bool
	CommonPrefixes    []face.Prefix
}

// An objectEntry is one object of a listing.
type objectEntry struct {
	Key                      face.Name
	LastModified, ETag, Type string
	Size                     int64
	StorageClass             engine.StorageClass
	Owner                    *face.Owner
}

// entries are the objects of a listing, with their owner if that is asked for.
func entries(list []engine.ObjectInfo, name func(string) face.Name, of *face.Owner) []objectEntry {
	return face.Each(list, func(o engine.ObjectInfo) objectEntry {
		return objectEntry{
			Key: name(o.Key), LastModified: face.ISO(o.LastModified), ETag: face.Quoted(o.ETag),
			Type: string(o.Type), Size: o.Size, StorageClass: o.StorageClass, Owner: of,
		}
	})
}

// list lists the objects behind a marker.
func (c *call) list(marker string) (*engine.ListObjectsResult, listing, func(string) face.Name) {
	name := c.Namer()
	res := c.ListObjects(marker)
	return res, listing{
		Name: res.Bucket, Prefix: name(res.Prefix), Delimiter: name(res.Delimiter),
		MaxKeys: res.MaxKeys, EncodingType: c.Query.Get("encoding-type"),
		IsTruncated: res.IsTruncated, CommonPrefixes: face.Prefixes(res.CommonPrefixes, name),
	}, name
}

func (c *call) listObjects() {
	res, page, name := c.list(c.Query.Get("marker"))
	c.Answer("ListBucketResult", struct {
		listing
		Marker, NextMarker face.Name
		Contents           []objectEntry
	}{page, name(res.Marker), name(res.NextMarker), entries(res.Objects, name, &face.Account)})
}

func (c *call) listObjectsV2() {
	if c.Query.Get("list-type") != "2" {
		c.Fail(face.Invalid("list-type", c.Query.Get("list-type"), "list-type must be 2."))
	}
	after := c.Query.Get("start-after")
	var of *face.Owner
	if c.Query.Get("fetch-owner") == "true" {
		of = &face.Account
	}
	res, page, name := c.list(cmp.Or(c.Marker(), after))
	c.Answer("ListBucketResult", struct {
		listing
		KeyCount                                 int
		StartAfter                               face.Name `xml:",omitempty"`
		ContinuationToken, NextContinuationToken string    `xml:",omitempty"`
		Contents                                 []objectEntry
	}{
		page, len(res.Objects) + len(res.CommonPrefixes), name(after),
		c.Query.Get("continuation-token"), face.Token(res.NextMarker), entries(res.Objects, name, of),
	})
}

// listObjectVersions lists the objects, each of which is its only version.
func (c *call) listObjectVersions() {
	type version struct {
		objectEntry
		VersionID string `xml:"VersionId"`
		IsLatest  bool
	}
	res, page, name := c.list(c.Query.Get("key-marker"))
	c.Answer("ListVersionsResult", struct {
		listing
		KeyMarker, NextKeyMarker face.Name
		NextVersionIDMarker      string    `xml:"NextVersionIdMarker"`
		Versions                 []version `xml:"Version"`
	}{
		page, name(res.Marker), name(res.NextMarker), "",
		face.Each(entries(res.Objects, name, &face.Account), func(o objectEntry) version {
			return version{o, "null", true}
		}),
	})
}

func (c *call) listMultipartUploads() {
	type upload struct {
		Key          face.Name
		Initiated    string
		UploadID     string `xml:"UploadId"`
		StorageClass engine.StorageClass
	}
	name := c.Namer()
	res := c.ListMultipartUploads()
	c.Answer("ListMultipartUploadsResult", struct {
		Bucket                                      string
		EncodingType                                string `xml:",omitempty"`
		Prefix, Delimiter, KeyMarker, NextKeyMarker face.Name
		UploadIDMarker                              string `xml:"UploadIdMarker"`
		NextUploadIDMarker                          string `xml:"NextUploadIdMarker"`
		MaxUploads                                  int
		IsTruncated                                 bool
		Uploads                                     []upload `xml:"Upload"`
		CommonPrefixes                              []face.Prefix
	}{
		res.Bucket, c.Query.Get("encoding-type"), name(res.Prefix), name(res.Delimiter),
		name(res.KeyMarker), name(res.NextKeyMarker), res.UploadIDMarker, res.NextUploadIDMarker,
		res.MaxUploads, res.IsTruncated,
		face.Each(res.Uploads, func(u engine.MultipartUpload) upload {
			return upload{name(u.Key), face.ISO(u.Initiated), u.UploadID, u.StorageClass}
		}),
		face.Prefixes(res.CommonPrefixes, name),
	})
}

// deleteObjects is DeleteMultipleObjects, of keys each of which the client may delete. OSS has no way
// to say that one of them failed, so the first that did is the answer; to repeat the request is safe.
func (c *call) deleteObjects() {
	var asked struct {
		Quiet   bool
		Objects []struct {
			Key       face.Name
			VersionID string `xml:"VersionId"`
		} `xml:"Object"`
	}
	c.ReadRaw(&asked)
	if len(asked.Objects) > engine.MaxDeleteKeys { // before anybody is asked about each
		e := engine.ErrMalformedXML.Derive("", nil)
		e.EC = "0016-00000608"
		c.Fail(e)
	}
	req := &engine.DeleteObjectsRequest{Bucket: c.Bucket, Quiet: asked.Quiet}
	for _, o := range asked.Objects {
		c.CheckVersion(o.VersionID)
		key := string(o.Key)
		if c.Err == nil {
			c.Authorize("DeleteObject", c.Bucket, key)
		}
		req.Keys = append(req.Keys, key)
	}
	name := c.Namer()
	res := face.Do(&c.Call, c.Engine.DeleteObjects, req)
	if len(res.Errors) > 0 {
		c.Fail(res.Errors[0].Err)
	}
	if asked.Quiet {
		c.Done(http.StatusOK)
		return
	}
	type deleted struct{ Key face.Name }
	c.Answer("DeleteResult", struct {
		EncodingType string `xml:",omitempty"`
		Deleted      []deleted
	}{
		c.Query.Get("encoding-type"),
		face.Each(res.Deleted, func(key string) deleted { return deleted{name(key)} }),
	})
}
