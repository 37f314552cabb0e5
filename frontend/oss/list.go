package oss

import (
	"cmp"
	"net/http"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/internal/face"
)

// nullVersion is the one version that an object has where nothing is versioned.
const nullVersion = "null"

// A listing is what the three listings of objects have in common.
type listing struct {
	Name, Prefix, Delimiter string
	MaxKeys                 int
	EncodingType            string `xml:",omitempty"`
	IsTruncated             bool
	CommonPrefixes          []commonPrefix
}

type commonPrefix struct{ Prefix string }

// An objectEntry is one object of a listing.
type objectEntry struct {
	Key          string
	LastModified string
	ETag         string
	Type         string
	Size         int64
	StorageClass engine.StorageClass
	Owner        *owner
}

// A namer writes names as the request wants them.
type namer func(string) string

func (name namer) prefixes(list []string) []commonPrefix {
	return face.Each(list, func(prefix string) commonPrefix { return commonPrefix{name(prefix)} })
}

func (name namer) objects(list []engine.ObjectInfo, of *owner) []objectEntry {
	return face.Each(list, func(o engine.ObjectInfo) objectEntry {
		return objectEntry{
			Key: name(o.Key), LastModified: face.ISO(o.LastModified), ETag: face.Quoted(o.ETag),
			Type: o.Type, Size: o.Size, StorageClass: o.StorageClass, Owner: of,
		}
	})
}

// list lists the objects behind a marker.
func (c *call) list(marker string) (*engine.ListObjectsResult, listing, namer) {
	name := namer(c.Namer())
	res := face.Do(c.Call, c.Engine.ListObjects, &engine.ListObjectsRequest{
		Bucket: c.Bucket, Prefix: c.Query.Get("prefix"), Delimiter: c.Query.Get("delimiter"),
		Marker: marker, MaxKeys: c.Number("max-keys"),
	})
	return res, listing{
		Name: res.Bucket, Prefix: name(res.Prefix), Delimiter: name(res.Delimiter),
		MaxKeys: res.MaxKeys, EncodingType: c.Query.Get("encoding-type"),
		IsTruncated: res.IsTruncated, CommonPrefixes: name.prefixes(res.CommonPrefixes),
	}, name
}

func (c *call) listObjects() {
	res, page, name := c.list(c.Query.Get("marker"))
	all := theOwner()
	c.answer("ListBucketResult", struct {
		listing
		Marker, NextMarker string
		Contents           []objectEntry
	}{page, name(res.Marker), name(res.NextMarker), name.objects(res.Objects, &all)})
}

func (c *call) listObjectsV2() {
	if c.Query.Get("list-type") != "2" {
		c.Fail(face.Invalid("list-type", c.Query.Get("list-type"), "list-type must be 2."))
	}
	after := c.Query.Get("start-after")
	var of *owner
	if c.Query.Get("fetch-owner") == "true" {
		all := theOwner()
		of = &all
	}
	res, page, name := c.list(cmp.Or(c.Marker(), after))
	c.answer("ListBucketResult", struct {
		listing
		KeyCount              int
		StartAfter            string `xml:",omitempty"`
		ContinuationToken     string `xml:",omitempty"`
		NextContinuationToken string `xml:",omitempty"`
		Contents              []objectEntry
	}{
		page, len(res.Objects) + len(res.CommonPrefixes), name(after),
		c.Query.Get("continuation-token"), face.Token(res.NextMarker), name.objects(res.Objects, of),
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
	all, next := theOwner(), ""
	if res.IsTruncated {
		next = nullVersion
	}
	c.answer("ListVersionsResult", struct {
		listing
		KeyMarker           string
		VersionIDMarker     string `xml:"VersionIdMarker"`
		NextKeyMarker       string
		NextVersionIDMarker string    `xml:"NextVersionIdMarker"`
		Versions            []version `xml:"Version"`
	}{
		page, name(res.Marker), c.Query.Get("version-id-marker"), name(res.NextMarker), next,
		face.Each(name.objects(res.Objects, &all), func(o objectEntry) version {
			return version{o, nullVersion, true}
		}),
	})
}

func (c *call) listMultipartUploads() {
	type upload struct {
		Key          string
		UploadID     string `xml:"UploadId"`
		StorageClass engine.StorageClass
		Initiated    string
	}
	name := namer(c.Namer())
	res := face.Do(c.Call, c.Engine.ListMultipartUploads, &engine.ListMultipartUploadsRequest{
		Bucket: c.Bucket, Prefix: c.Query.Get("prefix"), Delimiter: c.Query.Get("delimiter"),
		KeyMarker: c.Query.Get("key-marker"), UploadIDMarker: c.Query.Get("upload-id-marker"),
		MaxUploads: c.Number("max-uploads"),
	})
	c.answer("ListMultipartUploadsResult", struct {
		Bucket             string
		EncodingType       string `xml:",omitempty"`
		KeyMarker          string
		UploadIDMarker     string `xml:"UploadIdMarker"`
		NextKeyMarker      string
		NextUploadIDMarker string `xml:"NextUploadIdMarker"`
		Delimiter, Prefix  string
		MaxUploads         int
		IsTruncated        bool
		Uploads            []upload `xml:"Upload"`
		CommonPrefixes     []commonPrefix
	}{
		Bucket: res.Bucket, EncodingType: c.Query.Get("encoding-type"),
		KeyMarker: name(res.KeyMarker), UploadIDMarker: res.UploadIDMarker,
		NextKeyMarker: name(res.NextKeyMarker), NextUploadIDMarker: res.NextUploadIDMarker,
		Delimiter: name(res.Delimiter), Prefix: name(res.Prefix),
		MaxUploads: res.MaxUploads, IsTruncated: res.IsTruncated,
		Uploads: face.Each(res.Uploads, func(u engine.MultipartUpload) upload {
			return upload{name(u.Key), u.UploadID, u.StorageClass, face.ISO(u.Initiated)}
		}),
		CommonPrefixes: name.prefixes(res.CommonPrefixes),
	})
}

// deleteObjects is DeleteMultipleObjects. OSS has no way to say that one of the keys failed, so the
// first that did is the answer; to repeat the request is safe.
func (c *call) deleteObjects() {
	var asked struct {
		Quiet   bool
		Objects []struct {
			Key       string
			VersionID string `xml:"VersionId"`
		} `xml:"Object"`
	}
	c.ReadXML(&asked, nil)
	req := &engine.DeleteObjectsRequest{Bucket: c.Bucket, Quiet: asked.Quiet}
	for _, o := range asked.Objects {
		c.CheckVersion(o.VersionID)
		req.Keys = append(req.Keys, o.Key)
	}
	name := c.Namer()
	res := face.Do(c.Call, c.Engine.DeleteObjects, req)
	if len(res.Errors) > 0 {
		c.Fail(res.Errors[0].Err)
	}
	if asked.Quiet {
		c.Done(http.StatusOK)
		return
	}
	type deleted struct{ Key string }
	c.answer("DeleteResult", struct {
		EncodingType string `xml:",omitempty"`
		Deleted      []deleted
	}{
		c.Query.Get("encoding-type"),
		face.Each(res.Deleted, func(key string) deleted { return deleted{name(key)} }),
	})
}
