package oss

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"net/http"
	"strconv"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/access"
	"github.com/gabion-storage/gabion/frontend/internal/face"
)

// An errorDocument is what OSS says of what went wrong. What there is nothing to say of is left out.
type errorDocument struct {
	XMLName                      xml.Name `xml:"Error"`
	Code, Message                string
	RequestID                    string `xml:"RequestId"`
	HostID                       string `xml:"HostId"`
	BucketName, Key              string `xml:",omitempty"`
	UploadID                     string `xml:"UploadId,omitempty"`
	PartNumber                   int    `xml:",omitempty"`
	ETag                         string `xml:",omitempty"`
	ArgumentName, ArgumentValue  string `xml:",omitempty"`
	Condition                    string `xml:",omitempty"`
	MinSizeAllowed, ProposedSize int64  `xml:",omitempty"`
	StringToSign, EC             string `xml:",omitempty"`
}

// sayError answers a call that has failed. An answer without a body has the document in a header.
func (c *call) sayError() {
	e, document := face.AsError(c.Err), errorDocument{RequestID: c.requestID, HostID: c.R.Host}
	if errors.Is(e, engine.ErrBadDigest) {
		e = engine.ErrInvalidDigest // of a document; of objects the engine says it
	}
	var refused *access.Error
	if errors.As(c.Err, &refused) {
		document.StringToSign = refused.StringToSign
	}
	c.Err = nil
	if errors.Is(e, engine.ErrNotModified) {
		c.SayModified(e.ETag, e.LastModified)
		c.Done(e.HTTPStatus)
		return
	}
	document.describe(e)
	var body bytes.Buffer
	body.WriteString(xml.Header)
	_ = xml.NewEncoder(&body).Encode(document) // into memory, of plain texts
	h := c.W.Header()
	h.Set("Content-Type", "application/xml")
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	c.Say(own+"Ec", e.EC)
	if c.R.Method == http.MethodHead {
		h.Del("Content-Length")
		h.Set(own+"Err", base64.StdEncoding.EncodeToString(body.Bytes()))
	}
	c.Done(e.HTTPStatus)
	_, _ = c.W.Write(body.Bytes()) // nobody to tell
}

// describe says what there is to say of an error.
func (d *errorDocument) describe(e *engine.Error) {
	d.Code, d.Message, d.EC = e.Code, e.Message, e.EC
	d.ArgumentName, d.ArgumentValue = e.Argument, e.Value
	d.Condition, d.ETag, d.PartNumber = e.Condition, e.ETag, e.PartNumber
	d.BucketName, d.Key, d.UploadID = e.Bucket, e.Key, e.UploadID
	if errors.Is(e, engine.ErrEntityTooSmall) {
		d.MinSizeAllowed, d.ProposedSize = e.Limit, e.Size
	}
}
