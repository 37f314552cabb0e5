package oss

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"net/http"
	"strconv"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/internal/face"
)

// An errorDocument is what OSS says of what went wrong.
type errorDocument struct {
	XMLName xml.Name `xml:"Error"`
	face.ErrorDocument
	AccessKeyID string `xml:"OSSAccessKeyId,omitempty"`
	EC          string `xml:",omitempty"`
}

// sayError answers a call that has failed. An answer without a body has the document in a header.
func (c *call) sayError(e *engine.Error) {
	if errors.Is(e, engine.ErrBadDigest) {
		e = engine.ErrInvalidDigest // of a document; of objects the engine says it
	}
	var body bytes.Buffer
	body.WriteString(xml.Header)
	document := errorDocument{ErrorDocument: c.Describe(e), EC: e.EC}
	document.AccessKeyID = document.ErrorDocument.AccessKeyID
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
