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

// An errorDocument is what OSS says of what went wrong.
type errorDocument struct {
	XMLName xml.Name `xml:"Error"`
	face.ErrorDocument
	StringToSign, EC string `xml:",omitempty"`
}

// sayError answers a call that has failed. An answer without a body has the document in a header.
func (c *call) sayError() {
	e := face.AsError(c.Err)
	if errors.Is(e, engine.ErrBadDigest) {
		e = engine.ErrInvalidDigest // of a document; of objects the engine says it
	}
	document := errorDocument{
		ErrorDocument: face.Describe(e, c.requestID, c.R.Host), EC: e.EC,
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
