package face

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/access"
)

// A Call is one request under way.
//
// It keeps the first thing that goes wrong, which is the answer, and what is done after that does
// nothing: so an operation reads all that it needs, calls the engine, and describes what that gave
// it, without a look at errors in between.
type Call struct {
	Engine           *engine.Engine
	Verifier         *access.Verifier
	*access.Identity // who sent it, and to what

	Own       string // how the service's own headers begin: "X-Amz-" or "X-Oss-"
	Customer  string // how, behind that, those of a client's own key do; empty if it has none
	Namespace string // that of the documents it answers with, if they are in one

	EscapeSlash bool // names that are encoded as in URLs have no / either
	NeedTags    bool // a document of tags without any is none
	NeedParts   bool // a list of parts is none if one has no number, or no ETag

	// RequestID and HostID are what the service calls the request, and itself.
	RequestID, HostID string

	// BadNumber, if set, is what the service says of a number of this name that cannot be read, or is
	// negative.
	BadNumber func(name string, negative bool) string

	// Checksum, if set, is what headers say of the body of a document, beside its Content-MD5.
	Checksum func() engine.Checksum

	Documents *Documents // of all calls
	W         http.ResponseWriter
	R         *http.Request
	Query     url.Values
	Err       error     // what went wrong first
	cause     error     // that is being said
	document  *document // that has been read, if one has
}

// Begin reads the query and finds out who sends the request. Of a request that fails, Identity is
// empty.
func (c *Call) Begin() {
	// The server looks at the body of its own request, for one that a client holds back.
	c.R = c.R.WithContext(c.R.Context())
	c.Identity = &access.Identity{}
	query, err := access.ParseQuery(c.R.URL.RawQuery)
	if err != nil {
		c.Fail(Refuse(http.StatusBadRequest, "InvalidURI", "Couldn't parse the specified URI."))
		return
	}
	c.Query = query
	id, err := c.Verifier.Verify(c.R)
	if err != nil {
		c.Fail(err)
		return
	}
	c.Identity = id
	if c.Bucket == "" && c.Key != "" {
		c.Fail(engine.ErrInvalidBucketName) // else it would be about the service
	}
}

// Fail keeps err if it is the first.
func (c *Call) Fail(err error) {
	if c.Err == nil {
		c.Err = err
	}
}

// Authorize fails the call if who sent it may not do this.
func (c *Call) Authorize(name, bucket, key string) {
	c.Fail(c.Verifier.Authorize(c.R.Context(), access.Action{
		AccessKey: c.AccessKey, Name: name, Bucket: bucket, Key: key,
	}))
}

// Do has the engine do something. Of a call that has failed the result is empty.
func Do[Request, Result any](
	c *Call, op func(context.Context, *Request) (*Result, error), req *Request,
) *Result {
	if c.Err == nil {
		res, err := op(c.R.Context(), req)
		if err == nil {
			return res
		}
		c.Fail(err)
	}
	return new(Result)
}

// Route names what is asked for: the method, whether it is about the service, a bucket or an
// object, and which of the subresources the query has, in their order.
func (c *Call) Route(subresources []string) string {
	route := c.R.Method
	switch {
	case c.Form != nil:
		route += " form"
	case c.Bucket == "":
		route += " service"
	case c.Key == "":
		route += " bucket"
	default:
		route += " object"
	}
	for _, name := range subresources {
		if c.Query.Has(name) {
			route += " " + name
		}
	}
	return route
}

// AsksMore says whether the query asks for more than these subresources: whether it has
// another parameter without a value that is none of those that clients leave empty. There are dozens
// of subresources, and without one the request would be another.
func (c *Call) AsksMore(than []string) bool {
	optional := []string{
		"continuation-token", "delimiter", "encoding-type", "fetch-owner", "key-marker", "marker",
		"max-keys", "max-parts", "max-uploads", "part-number-marker", "partNumber", "prefix",
		"sequential", "start-after", "upload-id-marker", "version-id-marker", "versionId",
		"withHashContext", "x-id",
	}
	for name, values := range c.Query {
		if name != "" && values[0] == "" && !strings.HasPrefix(name, "response-") &&
			!strings.HasPrefix(strings.ToLower(name), "x-amz-") &&
			!slices.Contains(than, name) && !slices.Contains(optional, name) {
			return true
		}
	}
	return false
}

// IgnoreUnnamed takes those parameters without a value out of the query that are none of these
// subresources, and not named as an unknown one is: by letters alone, or as the service's own. Clients
// add such parameters to the URLs that they sign.
func (c *Call) IgnoreUnnamed(subresources []string) {
	const letters = "abcdefghijklmnopqrstuvwxyz"
	maps.DeleteFunc(c.Query, func(name string, values []string) bool {
		lower := strings.ToLower(name)
		return values[0] == "" && !strings.HasPrefix(lower, strings.ToLower(c.Own)) &&
			strings.Trim(lower, letters) != "" && !slices.Contains(subresources, name)
	})
}

// CheckVersion fails for another version than the one that objects have.
func (c *Call) CheckVersion(id string) {
	if id != "" && id != "null" {
		c.Fail(Refuse(http.StatusNotFound, "NoSuchVersion", "The specified version does not exist."))
	}
}

// CheckNamedVersion is CheckVersion of what an argument says, which an empty one does as well.
func (c *Call) CheckNamedVersion(argument, id string) {
	if id == "" {
		c.Fail(Invalid(argument, id, "Version id cannot be the empty string"))
	}
	c.CheckVersion(id)
}

// Header is a header of the service's own, without its beginning.
func (c *Call) Header(name string) string { return c.R.Header.Get(c.Own + name) }

// Number is a number of the query that is not negative: 0 if it is not said, engine.Zero if it is
// 0.
func (c *Call) Number(name string) int { return c.ParseNumber(name, c.Query.Get(name)) }

// NumberUpTo is a number of the query that is positive, and at most so great: 0 if it is not said.
func (c *Call) NumberUpTo(name string, most int) int {
	text := c.Query.Get(name)
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		c.Fail(Invalid(name, text,
			fmt.Sprintf("Argument %s must be an integer between 1 and %d.", name, most)))
	}
	return n
}

// ParseNumber reads a number as Number does.
func (c *Call) ParseNumber(name, text string) int {
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 32)
	switch {
	case err != nil || n < 0:
		message := "Provided " + name + " not an integer or within integer range."
		if c.BadNumber != nil {
			message = c.BadNumber(name, err == nil)
		}
		c.Fail(Invalid(name, text, message))
		return 0
	case n == 0:
		return engine.Zero
	}
	return int(n)
}

// ParseSize reads a size in bytes: 0 if it is not said, engine.EmptyBody if it is 0.
func (c *Call) ParseSize(name, text string) int64 {
	if text == "" {
		return 0
	}
	size, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil:
		c.Fail(engine.ErrInvalidRequest.Derive(
			fmt.Sprintf("Value for %s header is invalid: '%s'", name, text), nil,
		))
		return 0
	case size < 0:
		c.Fail(engine.ErrInvalidRequest.Derive(
			fmt.Sprintf("Value for %s header is less than zero: '%d'", name, size), nil,
		))
		return 0
	case size == 0:
		return engine.EmptyBody
	}
	return size
}

// Size is the length of the body, which must be known, as the engine's requests say it. That of a
// form's file is not known.
func (c *Call) Size() int64 {
	switch {
	case c.Form != nil:
		return 0
	case c.Length < 0:
		c.Fail(Refuse(http.StatusLengthRequired, "MissingContentLength",
			"You must provide the Content-Length HTTP header."))
	case c.Length == 0:
		return engine.EmptyBody
	}
	return c.Length
}

// Done sends headers alone, if nothing went wrong.
func (c *Call) Done(status int) {
	if c.Err == nil {
		c.W.WriteHeader(status)
	}
}
