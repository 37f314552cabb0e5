package s3

import (
	"crypto/rand"
	"errors"
	"net/http"
	"strconv"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/access"
	"github.com/gabion-storage/gabion/frontend/internal/face"
)

// Options configure New.
type Options struct {
	// Access says who may come in, and which host has buckets as its subdomains.
	Access access.Options
}

// New returns the face of an engine, which stays the caller's to close. nil options let nobody in.
func New(e *engine.Engine, o *Options) http.Handler {
	if o == nil {
		o = &Options{}
	}
	return &handler{engine: e, verifier: access.NewS3(o.Access)}
}

// A handler serves S3's requests.
type handler struct {
	engine    *engine.Engine
	verifier  *access.Verifier
	documents face.Documents
}

// A call is one request under way.
type call struct{ face.Call }

// customer is how the headers of a client's own key begin.
const customer = "Server-Side-Encryption-Customer-"

// ServeHTTP answers one request.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := rand.Text()[:16]
	c := &call{face.Call{
		Engine: h.engine, Verifier: h.verifier, W: w, R: r, RequestID: id, HostID: id,
		Documents: &h.documents, NeedParts: true, BadNumber: face.S3Number,
		Own: "X-Amz-", Customer: customer, Namespace: "http://s3.amazonaws.com/doc/2006-03-01/",
	}}
	c.Checksum = c.checksum
	c.Say("X-Amz-Request-Id", id)
	c.Say("X-Amz-Id-2", id)
	c.Serve(c.find, c.sayError)
}

// sayError answers a call that has failed.
func (c *call) sayError(e *engine.Error) {
	if errors.Is(e, engine.ErrInvalidRange) {
		c.Say("Content-Range", "bytes */"+strconv.FormatInt(e.Size, 10))
	}
	c.WriteError(e.HTTPStatus, c.DescribeS3(e))
}
