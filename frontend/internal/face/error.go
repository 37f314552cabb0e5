package face

import (
	"cmp"
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

// An ErrorDocument has what both services say of an error, each where there is something to say. What
// clients have said is a Name.
type ErrorDocument struct {
	Code                         string
	Message                      Name
	RequestID                    string `xml:"RequestId"`
	HostID                       string `xml:"HostId"`
	BucketName, Key              Name   `xml:",omitempty"`
	UploadID                     Name   `xml:"UploadId,omitempty"`
	PartNumber                   int    `xml:",omitempty"`
	ETag                         Name   `xml:",omitempty"`
	ArgumentName, ArgumentValue  Name   `xml:",omitempty"`
	Condition                    string `xml:",omitempty"`
	ProposedSize, MinSizeAllowed int64  `xml:",omitempty"`

	// Of who does not come in. Each service has a name of its own for the access key.
	AccessKeyID                     string `xml:"-"`
	SignatureProvided, StringToSign Name   `xml:",omitempty"`
	RequestTime, ServerTime         string `xml:",omitempty"`
	MaxSkew                         int64  `xml:"MaxAllowedSkewMilliseconds,omitempty"`
}

// Describe is the document of the error that answers the request.
func (c *Call) Describe(e *engine.Error) ErrorDocument {
	d := ErrorDocument{
		Code: Code(e), Message: Name(cmp.Or(e.Message, e.Code)), RequestID: c.RequestID, HostID: c.HostID,
		BucketName: Name(e.Bucket), Key: Name(e.Key), UploadID: Name(e.UploadID),
		PartNumber: e.PartNumber, ETag: Name(e.ETag), ArgumentName: Name(e.Argument),
		ArgumentValue: Name(e.Value), Condition: e.Condition,
	}
	if errors.Is(e, engine.ErrEntityTooSmall) {
		d.ProposedSize, d.MinSizeAllowed = e.Size, e.Limit
	}
	var denied *access.Error
	if !errors.As(c.cause, &denied) {
		return d
	}
	d.AccessKeyID, d.SignatureProvided = denied.AccessKey, Name(denied.Signature)
	d.StringToSign = Name(denied.StringToSign)
	if denied.MaxSkew > 0 {
		d.RequestTime, d.ServerTime = ISO(denied.RequestTime), ISO(denied.ServerTime)
		d.MaxSkew = denied.MaxSkew.Milliseconds()
	}
	return d
}
