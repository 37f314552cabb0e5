package oss

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/internal/face"
)

// partNumber is that of the query: one that the engine refuses if it is no number.
func (c *call) partNumber() int {
	n, _ := strconv.Atoi(c.Query.Get("partNumber"))
	return n
}

func (c *call) initiate() {
	if c.Query.Has("withHashContext") {
		c.Fail(face.NotOffered("withHashContext"))
	}
	name := c.Namer()
	res := face.Do(&c.Call, c.Engine.InitiateMultipartUpload, &engine.InitiateMultipartUploadRequest{
		Bucket: c.Bucket, Key: c.Key, Sequential: c.Query.Has("sequential"),
		Attributes: c.attributes(), EncryptionRequest: c.encryption(),
		ForbidOverwrite: c.forbidOverwrite(),
	})
	c.sayEncryption(&res.Encryption)
	c.Answer("InitiateMultipartUploadResult", struct {
		EncodingType string `xml:",omitempty"`
		Bucket       string
		Key          face.Name
		UploadID     string `xml:"UploadId"`
	}{c.Query.Get("encoding-type"), res.Bucket, name(res.Key), res.UploadID})
}

func (c *call) uploadPart() {
	c.refuseEncryption()
	res := face.Do(&c.Call, c.Engine.UploadPart, &engine.UploadPartRequest{
		Bucket: c.Bucket, Key: c.Key, UploadID: c.Query.Get("uploadId"), PartNumber: c.partNumber(),
		Body: c.Body, Size: c.size(),
		ContentMD5: c.R.Header.Get("Content-Md5"), CRC64: c.crc64(),
	})
	c.sayContent(res.ETag, res.CRC64, res.ContentMD5, &res.Encryption)
	c.Done(http.StatusOK)
}

func (c *call) uploadPartCopy() {
	bucket, key := c.Source()
	res := face.Do(&c.Call, c.Engine.UploadPartCopy, &engine.UploadPartCopyRequest{
		Bucket: c.Bucket, Key: c.Key, UploadID: c.Query.Get("uploadId"), PartNumber: c.partNumber(),
		SourceBucket: bucket, SourceKey: key, SourceRange: c.Header("Copy-Source-Range"),
		Conditions: c.Conditions(own + "Copy-Source-"),
	})
	c.sayContent(res.ETag, res.CRC64, res.ContentMD5, &res.Encryption)
	c.Say("Content-Range", res.SourceRange)
	c.Answer("CopyPartResult", copied{face.Quoted(res.ETag), face.ISO(res.LastModified)})
}

func (c *call) complete() {
	c.refuseEncryption()
	var parts []engine.CompletedPart
	all := c.Header("Complete-All") == "yes"
	if !all || c.HasBody() {
		parts = c.ReadParts()
	}
	name := c.Namer()
	res := face.Do(&c.Call, c.Engine.CompleteMultipartUpload, &engine.CompleteMultipartUploadRequest{
		Bucket: c.Bucket, Key: c.Key, UploadID: c.Query.Get("uploadId"), Parts: parts, All: all,
		Annotations:   c.objectACL(),
		Preconditions: engine.Preconditions{ForbidOverwrite: c.forbidOverwrite()},
	})
	c.sayContent(res.ETag, res.CRC64, "", &res.Encryption)
	c.Answer("CompleteMultipartUploadResult", struct {
		EncodingType     string `xml:",omitempty"`
		Location, Bucket string
		Key              face.Name
		ETag             string
	}{
		c.Query.Get("encoding-type"), c.Location(),
		res.Bucket, name(res.Key), face.Quoted(res.ETag),
	})
}

func (c *call) listParts() {
	type part struct {
		PartNumber         int
		LastModified, ETag string
		CRC64              uint64 `xml:"HashCrc64ecma"`
		Size               int64
	}
	name := c.Namer()
	res := c.ListParts()
	c.Answer("ListPartsResult", struct {
		EncodingType         string `xml:",omitempty"`
		Bucket               string
		Key                  face.Name
		UploadID             string `xml:"UploadId"`
		StorageClass         engine.StorageClass
		PartNumberMarker     int
		NextPartNumberMarker string // empty of no parts
		MaxParts             int
		IsTruncated          bool
		Parts                []part `xml:"Part"`
	}{
		c.Query.Get("encoding-type"), res.Bucket, name(res.Key), res.UploadID, res.StorageClass,
		res.PartNumberMarker, strings.TrimPrefix(strconv.Itoa(res.NextPartNumberMarker), "0"),
		res.MaxParts, res.IsTruncated,
		face.Each(res.Parts, func(p engine.Part) part {
			return part{
				p.PartNumber, face.ISO(p.LastModified), face.Quoted(p.ETag), p.CRC64, p.Size,
			}
		}),
	})
}
