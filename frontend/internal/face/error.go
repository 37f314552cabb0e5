package face

import (
	"cmp"
	"encoding/xml"
	"errors"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/access"
)

// AsError is err as the engine says errors. What access found wrong with a body is in the cause.
func AsError(err error) *engine.Error {
	var denied *access.Error
	if errors.As(err, &denied) {
		e := Refuse(denied.Status, denied.Code, denied.Message)
		e.EC = denied.EC
		return e
	}
	e := engine.ErrInternal
	errors.As(err, &e)
	return e
}

// Refuse is an error that the engine does not have.
func Refuse(status int, code, message string) *engine.Error {
	return &engine.Error{HTTPStatus: status, Code: code, Message: message}
}

// Invalid is the error for an argument that cannot be read.
func Invalid(name, value, message string) *engine.Error {
	e := engine.ErrInvalidArgument.Derive(message, nil)
	e.Argument, e.Value = name, value
	return e
}

// NotOffered is the error for what a face does not offer.
func NotOffered(what string) *engine.Error {
	return engine.ErrNotImplemented.Derive(what+" is not implemented.", nil)
}

// Code is what both services call an error. A store that cannot answer now has more than one name in
// the engine, of which clients know none.
func Code(e *engine.Error) string {
	if errors.Is(e, engine.ErrUnavailable) || errors.Is(e, engine.ErrLeaseLost) {
		return engine.ErrClosed.Code
	}
	return e.Code
}

// An ErrorDocument has what both services say of an error, each where there is something to say.
type ErrorDocument struct {
	Code, Message                string
	RequestID                    string `xml:"RequestId"`
	HostID                       string `xml:"HostId"`
	BucketName, Key              string `xml:",omitempty"`
	UploadID                     string `xml:"UploadId,omitempty"`
	PartNumber                   int    `xml:",omitempty"`
	ETag                         string `xml:",omitempty"`
	ArgumentName, ArgumentValue  string `xml:",omitempty"`
	Condition                    string `xml:",omitempty"`
	ProposedSize, MinSizeAllowed int64  `xml:",omitempty"`

	// Of who does not come in. Each service has a name of its own for the access key.
	AccessKeyID                     string `xml:"-"`
	SignatureProvided, StringToSign string `xml:",omitempty"`
	RequestTime, ServerTime         string `xml:",omitempty"`
	MaxSkew                         int64  `xml:"MaxAllowedSkewMilliseconds,omitempty"`
	Details                         []element
}

// Describe is the document of the error that answers the request.
func (c *Call) Describe(e *engine.Error) ErrorDocument {
	d := ErrorDocument{
		Code: Code(e), Message: cmp.Or(e.Message, e.Code), RequestID: c.RequestID, HostID: c.HostID,
		BucketName: e.Bucket, Key: e.Key, UploadID: e.UploadID, PartNumber: e.PartNumber,
		ETag: e.ETag, ArgumentName: e.Argument, ArgumentValue: e.Value, Condition: e.Condition,
	}
	if errors.Is(e, engine.ErrEntityTooSmall) {
		d.ProposedSize, d.MinSizeAllowed = e.Size, e.Limit
	}
	var denied *access.Error
	if !errors.As(c.cause, &denied) {
		return d
	}
	d.AccessKeyID, d.SignatureProvided = denied.AccessKey, denied.Signature
	d.StringToSign = denied.StringToSign
	for _, more := range denied.Details {
		d.Details = append(d.Details, element{xml.Name{Local: more.Name}, more.Value})
	}
	if denied.MaxSkew > 0 {
		d.RequestTime, d.ServerTime = ISO(denied.RequestTime), ISO(denied.ServerTime)
		d.MaxSkew = denied.MaxSkew.Milliseconds()
	}
	return d
}
