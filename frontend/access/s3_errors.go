package access

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// What S3 says to who does not come in, and to who sends a body that is not what it should be. The words
// are S3's own, which some clients and many people look for. Where a text has %s, it is what the client
// has said.
const (
	// Of an access key and what its signatures are limited to, wherever that is said.
	credentialMalformed = `the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/` +
		`SERVICE/aws4_request".`
	credentialService  = `incorrect service "%s". This endpoint belongs to "s3".`
	credentialTerminal = `incorrect terminal "%s". This endpoint uses "aws4_request".`
	credentialDate     = `incorrect date format "%s". This date in the credential must be in the ` +
		`format "yyyyMMdd".`

	// Of an Authorization header.
	headerComponents = "the authorization header requires three components: Credential, " +
		"SignedHeaders, and Signature."
	headerComponent = `the authorization component "%s" is malformed.`
	headerMissing   = "missing %s."
	headerDate      = "Invalid credential date. Date is not the same as X-Amz-Date."

	// Of a URL.
	urlMissing = "Query-string authentication version 4 requires the X-Amz-Algorithm, " +
		"X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires " +
		"parameters."
	urlAlgorithm = `X-Amz-Algorithm only supports "AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256"`
	urlNoECDSA   = `X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"`
	urlDate      = `X-Amz-Date must be in the ISO8601 Long Format "yyyyMMdd'T'HHmmss'Z'"`
	urlNumber    = "X-Amz-Expires should be a number"
	urlNegative  = "X-Amz-Expires must be non-negative"
	urlTooLong   = "X-Amz-Expires must be less than a week (in seconds); that is, the given " +
		"X-Amz-Expires must be less than 604800 seconds"

	// Of URLs and forms.
	otherDate = `Invalid credential date "%s". This date is not the same as X-Amz-Date: "%s".`

	// Of a form.
	formAlgorithm = "Only AWS4-HMAC-SHA256 is supported"
	formDate      = "X-Amz-Date must be formated via ISO8601 Long format"
	formNoForm    = "Bucket POST must be of the enclosure-type multipart/form-data"

	// Of a body.
	payloadValue = "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, " +
		"STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, " +
		"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, " +
		"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid sha256 value."
	payloadMismatch = "The provided 'x-amz-content-sha256' header does not match what was computed."
	bodyEnded       = "The request body terminated unexpectedly"
	bodyLength      = "You did not provide the number of bytes specified by the Content-Length HTTP " +
		"header"
	chunkTooSmall = "Only the last chunk is allowed to have a size less than 8192 bytes"
	trailerValue  = "Value for %s trailing header is invalid."
)

// say is a text with what the client has said in it.
func say(text string, said ...string) string {
	values := make([]any, len(said))
	for i, s := range said {
		values[i] = echo(s)
	}
	return fmt.Sprintf(text, values...)
}

// headerMalformed is for an Authorization header.
func headerMalformed(text string, said ...string) *Error {
	return badRequest("AuthorizationHeaderMalformed",
		"The authorization header is malformed; "+say(text, said...))
}

// urlMalformed is for what a URL says of its signature.
func urlMalformed(text string, said ...string) *Error {
	return badRequest("AuthorizationQueryParametersError", say(text, said...))
}

// invalidArgument names the argument, which may be a header, a parameter or a field.
func invalidArgument(name, value, message string) *Error {
	return badRequest("InvalidArgument", message).
		with("ArgumentName", name).with("ArgumentValue", value)
}

// unsupported is for an Authorization header of another kind than version 4.
func unsupported(authorization string) *Error {
	kind := scheme(authorization)
	switch {
	case kind == authorization:
		return invalidArgument("Authorization", authorization,
			"Authorization header is invalid -- one and only one ' ' (space) required")
	case kind == "AWS": // version 2
		return unsupportedMechanism()
	}
	return invalidArgument("Authorization", kind, "Unsupported Authorization Type")
}

// scheme is what is said back of an Authorization header: behind it there may be a token or a password of
// another system, which clients send by mistake beside a signed URL.
func scheme(authorization string) string {
	kind, _, _ := strings.Cut(authorization, " ")
	return kind
}

func unsupportedMechanism() *Error {
	return badRequest("InvalidRequest", "The authorization mechanism you have provided is not "+
		"supported. Please use AWS4-HMAC-SHA256.")
}

// invalidToken is for a security token, which no key here has. It is a secret, so it is not said back.
func invalidToken() *Error {
	return badRequest("InvalidToken", "The provided token is malformed or otherwise invalid.")
}

func headersNotSigned(names []string) *Error {
	return accessDenied("There were headers present in the request which were not signed").
		with("HeadersNotSigned", strings.Join(names, ", "))
}

// noForm is for what is posted to a bucket and is no form.
func noForm() *Error {
	e := &Error{
		Code: "PreconditionFailed", Status: http.StatusPreconditionFailed,
		Message: "At least one of the pre-conditions you specified did not hold.",
	}
	return e.with("Condition", formNoForm)
}

func incompleteBody(message string) *Error { return badRequest("IncompleteBody", message) }

// outside says, beside what, when the URL holds, and what time it is here.
func (s3) outside(c *claim, now time.Time, what string) *Error {
	return accessDenied(what).
		with("X-Amz-Expires", fmt.Sprint(int64(c.life.Seconds()))).
		with("Expires", c.until.UTC().Format(time.RFC3339)).
		with("ServerTime", now.UTC().Format(time.RFC3339))
}

// explain adds what the signature should have been made of. What is longer than a client's headers can
// be with S3 is left out: half of it would be of no use.
func (s3) explain(e *Error, c *claim) *Error {
	e.with("AWSAccessKeyId", e.AccessKey)
	if c == nil {
		return e
	}
	if len(e.StringToSign) > longestEcho { // of a form
		e.StringToSign = ""
	}
	e.withBytes("StringToSign", e.StringToSign)
	if len(c.canonical) <= longestEcho && !hasSecret(c.canonical) {
		e.with("CanonicalRequest", c.canonical).withBytes("CanonicalRequest", c.canonical)
	}
	return e
}

// withBytes adds the bytes of a detail, in hex.
func (e *Error) withBytes(name, text string) {
	if text != "" {
		e.Details = append(e.Details, Detail{name + "Bytes", fmt.Sprintf("% x", text)})
	}
}

// hasSecret says whether a canonical request has what only its client should know. It came from there,
// but the answers to a client are more often logged than what it sends.
func hasSecret(canonical string) bool {
	lower := strings.ToLower(canonical)
	for _, name := range []string{"customer-key", "security-token", "cookie", "authorization"} {
		if strings.Contains(lower, name+":") || strings.Contains(lower, name+"=") {
			return true
		}
	}
	return false
}
