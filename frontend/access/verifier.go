package access

import (
	"context"
	"io"
	"net/http"
	"time"
)

// DefaultSkew is how far the clocks of a client and of this machine may be apart.
const DefaultSkew = 15 * time.Minute

// Options say who may come in.
type Options struct {
	// Keys are who is known. Without, no signed request comes in.
	Keys Keys

	// Anonymous lets requests without a signature in.
	Anonymous bool

	// Authorize, if set, is asked before anything is done. What it fails with is not shown to the
	// client, who gets AccessDenied. Without, every known key may do everything, and so may
	// anonymous clients, if they come in at all.
	Authorize func(context.Context, Action) error

	// Domain is the host whose subdomains are buckets: bucket.DOMAIN. Requests to other hosts have
	// their bucket in the path. "localhost" if empty.
	Domain string

	Skew time.Duration    // DefaultSkew if 0
	Now  func() time.Time // time.Now if nil
}

// An Action is what a request wants to do.
type Action struct {
	AccessKey string // empty of an anonymous client
	Name      string // as the engine's method is named: "UploadPart"
	Bucket    string
	Key       string // empty of actions on buckets
}

// An Identity is who sent a request, and to what.
type Identity struct {
	AccessKey string // empty of an anonymous client
	Bucket    string // empty of requests to the service itself
	Key       string // bytes as they are: "..", "//" and NUL have no meaning

	// Body is the request's, decoded. Its Read fails with an *Error instead of io.EOF if the body is
	// not what was signed, so what was read counts only then. It is the request's Body, too.
	Body io.ReadCloser

	// Length is that of Body in bytes, -1 if the client did not say it.
	Length int64

	// Trailer is what came behind the body. It is empty before io.EOF.
	Trailer func() http.Header
}

// A Verifier finds out who sends requests to one service. It may be used from many goroutines.
type Verifier struct {
	options Options
}

// NewS3 verifies requests to S3.
func NewS3(o Options) *Verifier { return &Verifier{o} }

// NewOSS verifies requests to OSS.
func NewOSS(o Options) *Verifier { return &Verifier{o} }

// Verify finds out who sends r, and replaces its Body by one that verifies what is read. It fails
// with an *Error.
func (v *Verifier) Verify(r *http.Request) (*Identity, error) {
	if r.Header.Get("Authorization") != "" || !v.options.Anonymous {
		return nil, forbidden("AccessDenied", "Access Denied")
	}
	bucket, key := locate(r, v.options.Domain)
	return &Identity{
		Bucket:  bucket,
		Key:     key,
		Body:    r.Body,
		Length:  declaredLength(r),
		Trailer: func() http.Header { return nil },
	}, nil
}

// Authorize asks whether an action is allowed. It fails with an *Error.
func (v *Verifier) Authorize(ctx context.Context, a Action) error {
	if v.options.Authorize == nil || v.options.Authorize(ctx, a) == nil {
		return nil
	}
	return forbidden("AccessDenied", "Access Denied")
}
