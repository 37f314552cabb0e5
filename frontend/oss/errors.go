package oss

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"net/http"
	"strconv"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/access"
)

// An errorDocument is what OSS says of what went wrong. What there is nothing to say of is left out.
type errorDocument struct {
	XMLName        xml.Name `xml:"Error"`
	Code           string
	Message        string
	RequestID      string `xml:"RequestId"`
	HostID         string `xml:"HostId"`
	BucketName     string `xml:",omitempty"`
	Key            string `xml:",omitempty"`
	UploadID       string `xml:"UploadId,omitempty"`
	PartNumber     int    `xml:",omitempty"`
	ETag           string `xml:",omitempty"`
	ArgumentName   string `xml:",omitempty"`
	ArgumentValue  string `xml:",omitempty"`
	Condition      string `xml:",omitempty"`
	MinSizeAllowed int64  `xml:",omitempty"`
	ProposedSize   int64  `xml:",omitempty"`
	StringToSign   string `xml:",omitempty"`
	EC             string `xml:",omitempty"`
}

// writeError answers a call that has failed.
func (c *call) writeError() {
	h := c.W.Header()
	for _, name := range []string{"Content-Length", "Content-Encoding", "Content-Range"} {
		h.Del(name) // they were of what is not sent
	}
	err := c.Err
	c.Err = nil // so that headers are said
	status, document := c.describe(err)
	if status == http.StatusNotModified {
		c.W.WriteHeader(status)
		return
	}
	if document.EC != "" {
		h.Set(own+"Ec", document.EC)
	}
	var body bytes.Buffer
	body.WriteString(xml.Header)
	if err := xml.NewEncoder(&body).Encode(document); err != nil {
		c.W.WriteHeader(http.StatusInternalServerError)
		return
	}
	h.Set("Content-Type", "application/xml")
	if c.R.Method == http.MethodHead {
		h.Set(own+"Err", base64.StdEncoding.EncodeToString(body.Bytes()))
	} else {
		h.Set("Content-Length", strconv.Itoa(body.Len()))
	}
	c.W.WriteHeader(status)
	_, _ = c.W.Write(body.Bytes()) // nobody to tell
}

// describe is what the client hears of an error: what a body fails with itself before what the
// engine makes of it.
func (c *call) describe(err error) (status int, document errorDocument) {
	document = errorDocument{RequestID: c.requestID, HostID: c.R.Host}
	var refused *access.Error
	var e *engine.Error
	switch {
	case errors.As(err, &refused):
		document.Code, document.Message = refused.Code, refused.Message
		document.StringToSign = refused.StringToSign
		return refused.Status, document
	case !errors.As(err, &e):
		e = engine.ErrInternal
	}
	if errors.Is(e, engine.ErrNotModified) {
		c.SayModified(e.ETag, e.LastModified)
	}
	document.Code, document.Message, document.EC = e.Code, e.Message, e.EC
	document.ArgumentName, document.ArgumentValue = e.Argument, e.Value
	document.Condition, document.ETag, document.PartNumber = e.Condition, e.ETag, e.PartNumber
	switch {
	case errors.Is(e, engine.ErrNoSuchBucket), errors.Is(e, engine.ErrBucketNotEmpty):
		document.BucketName = cmp.Or(e.Bucket, c.Bucket)
	case errors.Is(e, engine.ErrNoSuchKey):
		document.Key = cmp.Or(e.Key, c.Key)
	case errors.Is(e, engine.ErrNoSuchUpload), errors.Is(e, engine.ErrInvalidPart):
		document.UploadID = e.UploadID
	case errors.Is(e, engine.ErrEntityTooSmall):
		document.MinSizeAllowed, document.ProposedSize = e.Limit, e.Size
	}
	return e.HTTPStatus, document
}
