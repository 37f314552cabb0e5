package access

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"time"

	"github.com/gabion-storage/gabion/frontend/internal/sha256pairs"
)

// DefaultSkew is how far the clocks of a client and of this machine may be apart.
const DefaultSkew = 15 * time.Minute

// Options say who may come in.
type Options struct {
	// Keys are who is known. Without, no signed request comes in.
	Keys Keys

	// Anonymous lets requests without a signature in.
	Anonymous bool

	// Authorize, if set, is asked before anything is done: for what the request is, and then for
	// GetObject of what it copies, and DeleteObject of each key of DeleteObjects. What it fails with
	// is not shown to the client, who gets AccessDenied. Without, every known key may do everything,
	// and so may anonymous clients, if they come in at all.
	Authorize func(context.Context, Action) error

	// Domain is the host whose subdomains are buckets: bucket.DOMAIN. Requests to other hosts have
	// their bucket in the path. "localhost" if empty.
	Domain string

	Skew time.Duration    // DefaultSkew if 0
	Now  func() time.Time // time.Now if nil
}

func (o Options) withDefaults() Options {
	o.Domain = cmp.Or(o.Domain, "localhost")
	o.Skew = cmp.Or(o.Skew, DefaultSkew)
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
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

	// Body is the request's, decoded. Its Read fails with an *Error instead of io.EOF if the body
	// is not what was signed, so what was read counts only then. It is the request's Body, too.
	Body io.ReadCloser

	// Length is that of Body in bytes, -1 if the client did not say it.
	Length int64

	// Trailer is what came behind the body. It is empty before io.EOF.
	Trailer func() http.Header

	// Form has the fields of a form that posts an object, by their names in lower case; it is nil of
	// all other requests. Body is the form's file then, Key what the form says, and the request has
	// headers for those fields that say what PutObject has headers for, and no others.
	Form map[string]string
}

// A Verifier finds out who sends requests to one service. It may be used from many goroutines.
type Verifier struct {
	options Options
	service interface {
		dialect() dialect
		claim(*request) (*claim, error)
		body(*request, *claim, signer) (*body, error)

		// explain adds to an error what the service says of a key that is not known, and of a
		// signature that does not match, which has a claim.
		explain(*Error, *claim) *Error

		// outside is the error for a URL outside its time.
		outside(c *claim, now time.Time, what string) *Error
	}
}

// NewS3 verifies requests to S3.
func NewS3(o Options) *Verifier {
	return &Verifier{o.withDefaults(), s3{&sha256pairs.Pool{}}}
}

// NewOSS verifies requests to OSS.
func NewOSS(o Options) *Verifier { return &Verifier{o.withDefaults(), oss{}} }

// Verify finds out who sends r. It replaces the Body of r by that of the Identity, joins headers that
// are there twice, and adds those of S3's own that a signed URL has as parameters. It fails with an
// *Error.
func (v *Verifier) Verify(r *http.Request) (*Identity, error) {
	q, err := newRequest(r, v.options.Domain)
	if err != nil {
		return nil, err
	}
	switch posts, form := q.posts(); {
	case form:
		return v.verifyForm(q)
	case posts && v.service.dialect().form.strict:
		return nil, noForm()
	}
	c, err := v.service.claim(q)
	if err != nil && c != nil {
		if _, ok := v.secret(c.accessKey); !ok {
			return nil, v.unknownKey(c.accessKey) // whatever else is wrong
		}
		if late := v.checkTime(c); late != nil {
			return nil, late
		}
	}
	if err != nil {
		return nil, err
	}
	id := &Identity{Bucket: q.bucket, Key: q.key}
	var sign signer
	switch {
	case c != nil:
		if sign, err = v.check(c); err != nil {
			return nil, err
		}
		id.AccessKey = c.accessKey
		for name, value := range c.headers {
			if _, ok := r.Header[name]; !ok {
				r.Header[name] = []string{value}
			}
		}
	case !v.options.Anonymous:
		return nil, anonymousDenied(q.key)
	}
	b, err := v.service.body(q, c, sign)
	if err != nil {
		return nil, err
	}
	id.Body = struct {
		io.Reader
		io.Closer
	}{b, r.Body}
	id.Length = b.length
	id.Trailer = func() http.Header { return b.trailer }
	r.Body = id.Body
	return id, nil
}

// Authorize asks whether an action is allowed. It fails with an *Error.
func (v *Verifier) Authorize(ctx context.Context, a Action) error {
	if v.options.Authorize == nil || v.options.Authorize(ctx, a) == nil {
		return nil
	}
	return accessDenied("Access Denied")
}
