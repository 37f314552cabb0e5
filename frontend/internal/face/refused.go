package face

import (
	"slices"
	"strings"

	"github.com/gabion-storage/gabion/engine"
)

// A Refused is a header of the service's own that is not offered. Without it a request would be another
// one, and do more than its client wants.
type Refused struct {
	Header string   // how its name begins, behind the service's own beginning
	But    string   // a value by which it wants nothing; empty if there is none
	Values []string // that it may have else; nil for any
	What   string   // it asks for
}

// CheckHeaders fails the call if it has a header that is refused.
func (c *Call) CheckHeaders(list []Refused) {
	for name, values := range c.R.Header {
		name, own := strings.CutPrefix(name, c.Own)
		for _, r := range list {
			switch said := values[0]; {
			case !own || !strings.HasPrefix(name, r.Header):
			case r.But != "" && strings.EqualFold(said, r.But):
			case r.Values != nil && !slices.Contains(r.Values, said):
				name := strings.ToLower(c.Own + name)
				c.Fail(Invalid(name, said, "Invalid "+name+" header: "+said))
			default:
				c.Fail(NotOffered(r.What))
			}
		}
	}
}

// CheckOwner fails the call if a header expects a bucket to be somebody else's.
func (c *Call) CheckOwner(header string) {
	if said, ok := c.R.Header[c.Own+header]; ok && said[0] != Account.ID {
		c.Fail(engine.ErrAccessDenied)
	}
}

// RefuseChunks fails a call of S3's whose body is in chunks, unless it is one of those that may have such
// a body.
func (c *Call) RefuseChunks(route string, but ...string) {
	if strings.HasPrefix(c.Header("Content-Sha256"), "STREAMING-") && !slices.Contains(but, route) {
		c.Fail(engine.ErrInvalidRequest.Derive(
			"The value of x-amz-content-sha256 header is invalid.", nil,
		))
	}
}
