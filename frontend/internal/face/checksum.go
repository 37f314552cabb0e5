package face

import (
	"encoding/base64"
	"encoding/xml"
	"strconv"
	"strings"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
)

// A Checksum is written as elements beside the others of a document, whatever its field is called:
// <ChecksumCRC32>, <ChecksumType>.
type Checksum engine.Checksum

// MarshalXML writes the elements.
func (c Checksum) MarshalXML(e *xml.Encoder, _ xml.StartElement) error {
	if c.Value == "" {
		return nil
	}
	element := func(name, value string) error {
		return e.EncodeElement(value, xml.StartElement{Name: xml.Name{Local: "Checksum" + name}})
	}
	if err := element(string(c.Algorithm), c.Value); err != nil || c.Type == "" {
		return err
	}
	return element("Type", string(c.Type))
}

// checkSum compares the body of a document with its Checksum, if there is one.
func (c *Call) checkSum(body []byte) {
	if c.Checksum == nil || c.Err != nil {
		return
	}
	sum := c.Checksum()
	if sum.Trailer != nil {
		sum.Value, _ = sum.Trailer()
	}
	if c.Err != nil || sum.Value == "" {
		return
	}
	digest := sum.Algorithm.New()
	digest.Write(body)
	if sum.Value != base64.StdEncoding.EncodeToString(digest.Sum(nil)) {
		c.Fail(engine.ErrBadDigest.Derive(
			"The "+string(sum.Algorithm)+" you specified did not match the calculated checksum.", nil,
		))
	}
}

// IsChecksum says whether a value can be a checksum by this algorithm: base64, with "-" and the number
// of parts behind it if it is a composite one.
func IsChecksum(a crypto.ChecksumAlgorithm, value string) bool {
	digest, parts, composite := strings.Cut(value, "-") // which base64 does not have
	sum, err := base64.StdEncoding.DecodeString(digest)
	if composite && err == nil {
		_, err = strconv.ParseUint(parts, 10, 16)
	}
	return err == nil && len(sum) == a.Size()
}

// An element is one of a document that has any: of a part in the list of CompleteMultipartUpload,
// beside its number and its ETag, or of an error.
type element struct {
	XMLName xml.Name
	Value   string `xml:",chardata"`
}

// partChecksum is the checksum among the elements of a part, if there is one. It is the only one that
// matters of them.
func (c *Call) partChecksum(elements []element) (sum Checksum) {
	for _, e := range elements {
		name, ok := strings.CutPrefix(e.XMLName.Local, "Checksum")
		if !ok || e.Value == "" {
			continue
		}
		a := crypto.ChecksumAlgorithm(strings.ToUpper(name))
		_, err := base64.StdEncoding.DecodeString(e.Value)
		if sum.Value != "" || err != nil || a.Valid() && !IsChecksum(a, e.Value) {
			c.Fail(Invalid("Checksum", string(a)+":"+e.Value,
				"Invalid Base64 or multiple checksums present in request"))
		}
		sum.Algorithm, sum.Value = a, e.Value
	}
	return sum
}
