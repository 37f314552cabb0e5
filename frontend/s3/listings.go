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
	Key, LastModified, ETag string
	asked
	Size         int64
	StorageClass engine.StorageClass
	Owner        *owner `xml:",omitempty"`
}

type prefix struct{ Prefix string }

// listObjects answers both versions of the call.
func (c *call) listObjects() {
	q, name, second := c.Query, c.Namer(), c.Query.Get("list-type") == "2"
	marker := q.Get("marker")
	if second {
		marker = cmp.Or(c.Marker(), q.Get("start-after"))
	}
	page := face.Do(&c.Call, c.Engine.ListObjects, &engine.ListObjectsRequest{
		Bucket: c.Bucket, Prefix: q.Get("prefix"), Delimiter: q.Get("delimiter"), Marker: marker,
		MaxKeys: c.Number("max-keys"),
	})
	var of *owner
	if !second || q.Get("fetch-owner") == "true" {
		of = &account
	}
	type listing struct {
		Name, Prefix            string
		Delimiter, EncodingType string `xml:",omitempty"`
		MaxKeys                 int
		IsTruncated             bool
		Contents                []object
		CommonPrefixes          []prefix
	}
	list := listing{
		page.Bucket, name(page.Prefix), name(page.Delimiter), q.Get("encoding-type"), page.MaxKeys,
		page.IsTruncated, face.Each(page.Objects, func(o engine.ObjectInfo) object {
			return object{
				name(o.Key), face.ISO(o.LastModified), face.Quoted(o.ETag),
				asked{o.Checksum.Algorithm, o.Checksum.Type}, o.Size, o.StorageClass, of,
			}
		}), prefixes(page.CommonPrefixes, name),
	}
	if !second {
		c.answer("ListBucketResult", struct {
			listing
			Marker     string
			NextMarker string `xml:",omitempty"`
		}{list, name(marker), name(page.NextMarker)})
		return
	}
	c.answer("ListBucketResult", struct {
		listing
		KeyCount                                             int
		StartAfter, ContinuationToken, NextContinuationToken string `xml:",omitempty"`
	}{
		list, len(page.Objects) + len(page.CommonPrefixes), name(q.Get("start-after")),
		q.Get("continuation-token"), face.Token(page.NextMarker),
	})
}

func prefixes(list []string, name func(string) string) []prefix {
	return face.Each(list, func(p string) prefix { return prefix{name(p)} })
}

func (c *call) listParts() {
	name := c.Namer()
	page := face.Do(&c.Call, c.Engine.ListParts, &engine.ListPartsRequest{
		Bucket: c.Bucket, Key: c.Key, UploadID: c.Query.Get("uploadId"),
		PartNumberMarker: max(c.Number("part-number-marker"), 0), MaxParts: c.Number("max-parts"),
	})
	type part struct {
		PartNumber         int
		LastModified, ETag string
		Size               int64
		Sum                checksumXML
	}
	c.answer("ListPartsResult", struct {
		Bucket, Key      string
		UploadID         string `xml:"UploadId"`
		Initiator, Owner owner
		StorageClass     engine.StorageClass
		asked
		PartNumberMarker, NextPartNumberMarker, MaxParts int
		IsTruncated                                      bool
		Parts                                            []part `xml:"Part"`
	}{
		page.Bucket, name(page.Key), page.UploadID, account, account, page.StorageClass,
		asked{page.Checksum.Algorithm, page.Checksum.Type}, page.PartNumberMarker,
		page.NextPartNumberMarker, page.MaxParts, page.IsTruncated,
		face.Each(page.Parts, func(p engine.Part) part {
			return part{
				p.PartNumber, face.ISO(p.LastModified), face.Quoted(p.ETag), p.Size,
				checksumXML(p.Checksum),
			}
		}),
	})
}

func (c *call) listMultipartUploads() {
	q, name := c.Query, c.Namer()
	page := face.Do(&c.Call, c.Engine.ListMultipartUploads, &engine.ListMultipartUploadsRequest{
		Bucket: c.Bucket, Prefix: q.Get("prefix"), Delimiter: q.Get("delimiter"),
		KeyMarker: q.Get("key-marker"), UploadIDMarker: q.Get("upload-id-marker"),
		MaxUploads: c.Number("max-uploads"),
	})
	type upload struct {
		Key              string
		UploadID         string `xml:"UploadId"`
		Initiator, Owner owner
		StorageClass     engine.StorageClass
		Initiated        string
		asked
	}
	c.answer("ListMultipartUploadsResult", struct {
		Bucket, KeyMarker       string
		UploadIDMarker          string `xml:"UploadIdMarker"`
		NextKeyMarker           string
		NextUploadIDMarker      string `xml:"NextUploadIdMarker"`
		Prefix                  string
		Delimiter, EncodingType string `xml:",omitempty"`
		MaxUploads              int
		IsTruncated             bool
		Uploads                 []upload `xml:"Upload"`
		CommonPrefixes          []prefix
	}{
		page.Bucket, name(page.KeyMarker), page.UploadIDMarker, name(page.NextKeyMarker),
		page.NextUploadIDMarker, name(page.Prefix), name(page.Delimiter), q.Get("encoding-type"),
		page.MaxUploads, page.IsTruncated,
		face.Each(page.Uploads, func(u engine.MultipartUpload) upload {
			return upload{
				name(u.Key), u.UploadID, account, account, u.StorageClass, face.ISO(u.Initiated),
				asked{u.Checksum.Algorithm, u.Checksum.Type},
			}
		}), prefixes(page.CommonPrefixes, name),
	})
}
