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

func signatureMismatch(stringToSign string) *Error {
	e := forbidden("SignatureDoesNotMatch", "The request signature we calculated does not match the "+
		"signature you provided. Check your key and signing method.")
	e.StringToSign, e.EC = stringToSign, "0002-00000040"
	return e
}

func incompleteBody() *Error {
	return badRequest("IncompleteBody",
		"The request body is not as long as its headers say, or not well-formed.")
}
