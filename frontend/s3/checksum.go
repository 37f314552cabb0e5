package s3

import (
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
	header := ""
	for name, values := range c.R.Header {
		if a := c.algorithmOf(name); a != "" {
			header = name
			add(engine.Checksum{Algorithm: a, Value: values[0]})
		}
	}
	if header != "" && !face.IsChecksum(sum.Algorithm, sum.Value) {
		c.invalid("Value for " + strings.ToLower(header) + " header is invalid.")
	}
	for name := range strings.SplitSeq(c.Header("Trailer"), ",") {
		name = strings.TrimSpace(name)
		a := c.algorithmOf(name)
		switch {
		case name == "":
		case a == "":
			c.invalid("The value specified in the x-amz-trailer header is not supported")
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
	switch {
	case asked == "" || strings.EqualFold(asked, string(sum.Algorithm)):
	case sum.Algorithm != "":
		c.invalid("Value for x-amz-sdk-checksum-algorithm header is invalid.")
	default:
		c.invalid("x-amz-sdk-checksum-algorithm specified, but no corresponding " +
			"x-amz-checksum-* or x-amz-trailer headers were found.")
	}
	if sum.Algorithm == "" {
		sum.Algorithm = c.algorithm(c.Header("Checksum-Algorithm"), unsupported)
	}
	return sum
}

// algorithmOf is that of the checksum that a header of this name has, empty if it has none.
func (c *call) algorithmOf(header string) crypto.ChecksumAlgorithm {
	name, ok := strings.CutPrefix(http.CanonicalHeaderKey(header), "X-Amz-Checksum-")
	if !ok || name == "Algorithm" || name == "Type" || name == "Mode" {
		return ""
	}
	return c.algorithm(name, "The algorithm type you specified in x-amz-checksum- header is invalid.")
}

const unsupported = "Checksum algorithm provided is unsupported. Please try again with any of " +
	"the valid types: [CRC32, CRC32C, CRC64NVME, MD5, SHA1, SHA256, SHA512, XXHASH128, " +
	"XXHASH3, XXHASH64]"

// algorithm is that of a name as clients write it. The call fails with the message for one that there
// is not.
func (c *call) algorithm(name, message string) crypto.ChecksumAlgorithm {
	a := crypto.ChecksumAlgorithm(strings.ToUpper(name))
	if a != "" && !a.Valid() {
		c.invalid(message)
	}
	return a
}

// checksumType is how the checksum of an object of several parts shall come from theirs.
func (c *call) checksumType() engine.ChecksumType {
	t := engine.ChecksumType(strings.ToUpper(c.Header("Checksum-Type")))
	if t != "" && t != engine.ChecksumComposite && t != engine.ChecksumFullObject {
		c.invalid("Value for x-amz-checksum-type header is invalid.")
	}
	return t
}

func (c *call) invalid(message string) { c.Fail(engine.ErrInvalidRequest.Derive(message, nil)) }

// sayChecksum sets the headers of a checksum, if there is one.
func (c *call) sayChecksum(sum engine.Checksum) {
	if sum.Value != "" {
		c.Say("X-Amz-Checksum-"+string(sum.Algorithm), sum.Value)
		c.Say("X-Amz-Checksum-Type", string(sum.Type))
	}
}
