package access

import "net/http"

// An Error is why a request does not come in, as the service says it: a face sends it as it is. The
// Read of a body fails with one, too.
type Error struct {
	Code    string // the service's
	Message string
	Status  int // of HTTP

	// StringToSign, with SignatureDoesNotMatch, is what the signature should have been made of.
	// Both services tell their clients.
	StringToSign string
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

func signatureMismatch(stringToSign string) *Error {
	e := forbidden("SignatureDoesNotMatch", "The request signature we calculated does not match the "+
		"signature you provided. Check your key and signing method.")
	e.StringToSign = stringToSign
	return e
}

func incompleteBody() *Error {
	return badRequest("IncompleteBody",
		"The request body is not as long as its headers say, or not well-formed.")
}
