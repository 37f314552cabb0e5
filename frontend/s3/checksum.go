package s3

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/internal/face"
)

// checksum is that of the body, which a header has, or the trailer will. Without either, a client
// may ask for one.
func (c *call) checksum() (sum engine.Checksum) {
	add := func(given engine.Checksum) {
		if sum.Algorithm != "" {
			c.invalid("Expecting a single x-amz-checksum- header. " +
				"Multiple checksum Types are not allowed.")
		}
		sum = given
	}
	for name, values := range c.R.Header {
		switch a, ok := algorithm(name); {
		case !ok:
		case !a.Valid():
			c.Fail(face.NotOffered("Checksum " + string(a)))
		default:
			add(engine.Checksum{Algorithm: a, Value: values[0]})
		}
	}
	for name := range strings.SplitSeq(c.Header("Trailer"), ",") {
		name = strings.TrimSpace(name)
		switch a, ok := algorithm(name); {
		case name == "":
		case !ok:
			c.invalid("The value specified in the x-amz-trailer header is not supported")
		case !a.Valid():
			c.Fail(face.NotOffered("Checksum " + string(a)))
		case c.Trailer() == nil: // of a body that has none, with which nothing would be compared
			c.Fail(face.Refuse(http.StatusBadRequest, "MalformedTrailerError",
				"The request has no trailer, though its x-amz-trailer header announces one."))
		default:
			add(engine.Checksum{Algorithm: a, Trailer: func() (string, error) {
				return c.Trailer().Get(name), nil
			}})
		}
	}
	asked := c.Header("Sdk-Checksum-Algorithm")
	if asked != "" && !strings.EqualFold(asked, string(sum.Algorithm)) {
		c.invalid("x-amz-sdk-checksum-algorithm specified, but no corresponding " +
			"x-amz-checksum-* or x-amz-trailer headers were found.")
	}
	if sum.Algorithm == "" {
		sum.Algorithm = c.askedChecksum().Algorithm
	}
	return sum
}

// algorithm is that of the checksum that a header of this name has; ok is false if it has none.
func algorithm(header string) (a crypto.ChecksumAlgorithm, ok bool) {
	name, ok := strings.CutPrefix(http.CanonicalHeaderKey(header), "X-Amz-Checksum-")
	if !ok || name == "Algorithm" || name == "Type" || name == "Mode" {
		return "", false
	}
	return crypto.ChecksumAlgorithm(strings.ToUpper(name)), true
}

func (c *call) invalid(message string) { c.Fail(engine.ErrInvalidRequest.Derive(message, nil)) }

// checkBody compares a body that is not an object's with its checksum, if there is one.
func (c *call) checkBody(body []byte) {
	sum := c.checksum()
	if sum.Trailer != nil {
		sum.Value, _ = sum.Trailer()
	}
	if c.Err != nil || sum.Value == "" {
		return
	}
	digest := sum.Algorithm.New()
	digest.Write(body)
	if sum.Value != base64.StdEncoding.EncodeToString(digest.Sum(nil)) {
		c.Fail(engine.ErrBadDigest)
	}
}

// askedChecksum is the checksum that something to be made shall have.
func (c *call) askedChecksum() engine.Checksum {
	a := crypto.ChecksumAlgorithm(strings.ToUpper(c.Header("Checksum-Algorithm")))
	if a != "" && !a.Valid() {
		c.Fail(face.NotOffered("Checksum " + string(a)))
	}
	return engine.Checksum{Algorithm: a, Type: engine.ChecksumType(c.Header("Checksum-Type"))}
}

// sayChecksum sets the headers of a checksum, if there is one.
func (c *call) sayChecksum(sum engine.Checksum) {
	if sum.Value != "" {
		c.Say("X-Amz-Checksum-"+string(sum.Algorithm), sum.Value)
		c.Say("X-Amz-Checksum-Type", string(sum.Type))
	}
}
