package s3

import (
	"cmp"
	"encoding/xml"
	"errors"
	"net/http"
	"strconv"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/internal/face"
)

// answer sends a document, if nothing went wrong.
func (c *call) answer(root string, document any) {
	if c.Err == nil {
		name := xml.Name{Space: "http://s3.amazonaws.com/doc/2006-03-01/", Local: root}
		c.WriteXML(http.StatusOK, name, document)
	}
}

// An errorBody says what went wrong, each where there is something to say.
type errorBody struct {
	Code, Message, Resource        string
	RequestID                      string `xml:"RequestId"`
	HostID                         string `xml:"HostId"`
	BucketName, Key                string `xml:",omitempty"`
	UploadID                       string `xml:"UploadId,omitempty"`
	PartNumber                     int    `xml:",omitempty"`
	ETag                           string `xml:",omitempty"`
	ArgumentName, ArgumentValue    string `xml:",omitempty"`
	Condition                      string `xml:",omitempty"`
	ActualObjectSize               int64  `xml:",omitempty"`
	ProposedSize                   int64  `xml:",omitempty"`
	MinSizeAllowed, MaxSizeAllowed int64  `xml:",omitempty"`
}

// sayError answers a call that has failed.
func (c *call) sayError() {
	e := face.AsError(c.Err)
	body := errorBody{
		Code: e.Code, Message: cmp.Or(e.Message, e.Code), Resource: c.R.URL.Path,
		RequestID: c.requestID, HostID: c.requestID, BucketName: e.Bucket, Key: e.Key,
		UploadID: e.UploadID, PartNumber: e.PartNumber, ETag: e.ETag, ArgumentName: e.Argument,
		ArgumentValue: e.Value, Condition: e.Condition,
	}
	c.Err = nil
	switch {
	case errors.Is(e, engine.ErrNotModified):
		c.SayModified(e.ETag, e.LastModified)
		c.W.WriteHeader(e.HTTPStatus)
		return
	case errors.Is(e, engine.ErrInvalidRange):
		c.Say("Content-Range", "bytes */"+strconv.FormatInt(e.Size, 10))
		body.ActualObjectSize = e.Size
	case errors.Is(e, engine.ErrEntityTooSmall):
		body.ProposedSize, body.MinSizeAllowed = e.Size, e.Limit
	case errors.Is(e, engine.ErrEntityTooLarge):
		body.ProposedSize, body.MaxSizeAllowed = e.Size, e.Limit
	}
	c.WriteXML(e.HTTPStatus, xml.Name{Local: "Error"}, body)
}
