package access

import (
	"net/http"
	"time"
)

// An Error is why a request does not come in, as the service says it: a face sends it as it is. The
// Read of a body fails with one, too.
type Error struct {
	Code    string // the service's
	Message string
	Status  int // of HTTP

	EC string // OSS's fine-grained code, where it is known

	// What both services tell their clients beside that, so that these find out why. AccessKey and
	// Signature are what the client has said: with InvalidAccessKeyId the one, with
	// SignatureDoesNotMatch both. StringToSign, with the latter, is what the signature should have
	// been made of.
	AccessKey, Signature, StringToSign string

	// With RequestTimeTooSkewed: when the client says it is, and how far from ServerTime that may be.
	RequestTime, ServerTime time.Time
	MaxSkew                 time.Duration

	// Details are what S3 says beside that, in its order. OSS's errors have none.
	Details []Detail
}

// A Detail is an element of an error's document. Value may be what the client has said, at most 8 KiB of
// it, or their bytes in hex, and may have any character: whoever writes it must escape it.
type Detail struct{ Name, Value string }

// longestEcho is how many bytes of what a client has said are said back to it, at most. S3 takes no
// more headers than that.
const longestEcho = 8 << 10

// echo is what a client has said, as it may be said back.
func echo(said string) string { return said[:min(len(said), longestEcho)] }

// with adds a detail, unless it is empty.
func (e *Error) with(name, value string) *Error {
	if value != "" {
		e.Details = append(e.Details, Detail{name, echo(value)})
	}
	return e
}

// Error says what is wrong, without any secret.
func (e *Error) Error() string { return "access: " + e.Code + ": " + e.Message }

func badRequest(code, message string) *Error {
	return &Error{Code: code, Message: message, Status: http.StatusBadRequest}
}

func forbidden(code, message string) *Error {
	return &Error{Code: code, Message: message, Status: http.StatusForbidden}
}

func accessDenied(message string) *Error { return forbidden("AccessDenied", message) }

// anonymousDenied is for who has signed nothing.
func anonymousDenied(key string) *Error {
	e := accessDenied("Access Denied")
	if key != "" { // of buckets each operation has a code of its own
		e.EC = "0003-00000001"
	}
	return e
}

func signatureMismatch(stringToSign, accessKey, signature string) *Error {
	e := forbidden("SignatureDoesNotMatch", "The request signature we calculated does not match the "+
		"signature you provided. Check your key and signing method.")
	e.StringToSign, e.EC = stringToSign, "0002-00000040"
	e.AccessKey, e.Signature = echo(accessKey), echo(signature)
	return e
}
