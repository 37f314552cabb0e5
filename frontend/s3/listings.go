package s3

import (
	"cmp"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/internal/face"
)

// asked is the checksum that an entry of a listing has or will have.
type asked struct {
	ChecksumAlgorithm crypto.ChecksumAlgorithm `xml:",omitempty"`
	ChecksumType      engine.ChecksumType      `xml:",omitempty"`
}

// An object is an entry of a listing.
type object struct {
	Key                face.Name
	LastModified, ETag string
	asked
	Size         int64
	StorageClass engine.StorageClass
	Owner        *face.Owner `xml:",omitempty"`
	VersionID    string      `xml:"VersionId,omitempty"` // where versions are listed
	IsLatest     bool        `xml:",omitempty"`
}

// listObjects answers both versions of the call, and ListObjectVersions: each object is its only one.
func (c *call) listObjects() {
	q, name := c.Query, c.Namer()
	versions, second := q.Has("versions"), q.Get("list-type") == "2"
	marker, id := q.Get("marker"), ""
	switch {
	case versions:
		marker, id, second = q.Get("key-marker"), "null", false
	case second:
		marker = cmp.Or(c.Marker(), q.Get("start-after"))
	}
	page := c.ListObjects(marker)
	var of *face.Owner
	if !second || q.Get("fetch-owner") == "true" {
		of = &face.Account
	}
	type listing struct {
		Name              string
		Prefix            face.Name
		Delimiter         face.Name `xml:",omitempty"`
		EncodingType      string    `xml:",omitempty"`
		MaxKeys           int
		IsTruncated       bool
		Contents, Version []object
		CommonPrefixes    []face.Prefix
	}
	list := listing{
		page.Bucket, name(page.Prefix), name(page.Delimiter), q.Get("encoding-type"), page.MaxKeys,
		page.IsTruncated, face.Each(page.Objects, func(o engine.ObjectInfo) object {
			return object{
				name(o.Key), face.ISO(o.LastModified), face.Quoted(o.ETag),
				asked{o.Checksum.Algorithm, o.Checksum.Type}, o.Size, o.StorageClass, of, id,
				versions,
			}
		}), nil, face.Prefixes(page.CommonPrefixes, name),
	}
	if versions {
		list.Contents, list.Version = nil, list.Contents
		c.Answer("ListVersionsResult", struct {
			listing
			KeyMarker, NextKeyMarker face.Name `xml:",omitempty"`
		}{list, name(marker), name(page.NextMarker)})
		return
	}
	if !second {
		c.Answer("ListBucketResult", struct {
			listing
			Marker     face.Name
			NextMarker face.Name `xml:",omitempty"`
		}{list, name(marker), name(page.NextMarker)})
		return
	}
	c.Answer("ListBucketResult", struct {
		listing
		KeyCount              int
		ContinuationToken     []string  // said again even if it is empty
		StartAfter            face.Name `xml:",omitempty"`
		NextContinuationToken string    `xml:",omitempty"`
	}{
		list, len(page.Objects) + len(page.CommonPrefixes), q["continuation-token"],
		name(q.Get("start-after")), face.Token(page.NextMarker),
	})
}

func (c *call) listParts() {
	name := c.Namer()
	page := c.ListParts()
	type part struct {
		PartNumber         int
		LastModified, ETag string
		Size               int64
		Sum                face.Checksum
	}
	c.Answer("ListPartsResult", struct {
		Bucket           string
		Key              face.Name
		UploadID         string `xml:"UploadId"`
		Initiator, Owner face.Owner
		StorageClass     engine.StorageClass
		asked
		PartNumberMarker, NextPartNumberMarker, MaxParts int
		IsTruncated                                      bool
		Parts                                            []part `xml:"Part"`
	}{
		page.Bucket, name(page.Key), page.UploadID, face.Account, face.Account, page.StorageClass,
		asked{page.Checksum.Algorithm, page.Checksum.Type}, page.PartNumberMarker,
		page.NextPartNumberMarker, page.MaxParts, page.IsTruncated,
		face.Each(page.Parts, func(p engine.Part) part {
			return part{
				p.PartNumber, face.ISO(p.LastModified), face.Quoted(p.ETag), p.Size,
				face.Checksum(p.Checksum),
			}
		}),
	})
}

func (c *call) listMultipartUploads() {
	q, name := c.Query, c.Namer()
	page := c.ListMultipartUploads()
	type upload struct {
		Key              face.Name
		UploadID         string `xml:"UploadId"`
		Initiator, Owner face.Owner
		StorageClass     engine.StorageClass
		Initiated        string
		asked
	}
	c.Answer("ListMultipartUploadsResult", struct {
		Bucket             string
		KeyMarker          face.Name
		UploadIDMarker     string `xml:"UploadIdMarker"`
		NextKeyMarker      face.Name
		NextUploadIDMarker string `xml:"NextUploadIdMarker"`
		Prefix             face.Name
		Delimiter          face.Name `xml:",omitempty"`
		EncodingType       string    `xml:",omitempty"`
		MaxUploads         int
		IsTruncated        bool
		Uploads            []upload `xml:"Upload"`
		CommonPrefixes     []face.Prefix
	}{
		page.Bucket, name(page.KeyMarker), page.UploadIDMarker, name(page.NextKeyMarker),
		page.NextUploadIDMarker, name(page.Prefix), name(page.Delimiter), q.Get("encoding-type"),
		page.MaxUploads, page.IsTruncated,
		face.Each(page.Uploads, func(u engine.MultipartUpload) upload {
			return upload{
				name(u.Key), u.UploadID, face.Account, face.Account, u.StorageClass,
				face.ISO(u.Initiated), asked{u.Checksum.Algorithm, u.Checksum.Type},
			}
		}), face.Prefixes(page.CommonPrefixes, name),
	})
}
