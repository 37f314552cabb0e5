package wire

import (
	"bytes"
	"encoding/xml"
	"errors"
)

// Limits of a document. One that completes 10000 parts with two checksums each has 60000 elements.
const (
	maxXMLElements = 100_000
	maxXMLDepth    = 16
)

var errXML = errors.New("wire: XML that is too large, too deep, or has directives")

// UnmarshalXML decodes a document as xml.Unmarshal does, but for one that is made to take more than
// its bytes.
func UnmarshalXML(document []byte, v any) error {
	tokens := &limitedTokens{from: xml.NewDecoder(bytes.NewReader(document))}
	return xml.NewTokenDecoder(tokens).Decode(v)
}

// limitedTokens are those of a document, as long as they are within the limits.
type limitedTokens struct {
	from            *xml.Decoder
	depth, elements int
}

func (t *limitedTokens) Token() (xml.Token, error) {
	token, err := t.from.Token()
	if err != nil {
		return nil, err
	}
	switch token.(type) {
	case xml.StartElement:
		t.depth++
		t.elements++
	case xml.EndElement:
		t.depth--
	case xml.Directive:
		return nil, errXML
	}
	if t.depth > maxXMLDepth || t.elements > maxXMLElements {
		return nil, errXML
	}
	return token, nil
}
