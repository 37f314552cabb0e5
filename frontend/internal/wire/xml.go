package wire

import (
	"bytes"
	"encoding/xml"
	"errors"
)

// Limits of a document. One that completes 10000 parts with two checksums each has 60000 elements.
const (
	maxXMLElements = 100_000 // with their attributes
	maxXMLDepth    = 16
	maxXMLEquals   = 4096 // in one token: each attribute has one, and a key may have 1024
)

var errXML = errors.New("wire: XML that is too large, too deep, or has directives")

// UnmarshalXML decodes a document as xml.Unmarshal does, but for one that is made to take more than
// its bytes.
func UnmarshalXML(document []byte, v any) error {
	from := &tokenBytes{Reader: bytes.NewReader(document)}
	tokens := &limitedTokens{bytes: from, from: xml.NewDecoder(from)}
	return xml.NewTokenDecoder(tokens).Decode(v)
}

// tokenBytes are those of a document. They end with an error in a token that has too many signs of
// equality: a tag comes as a whole, and an attribute of 5 bytes takes 48 in it.
type tokenBytes struct {
	*bytes.Reader
	equals int // in this token so far
}

func (b *tokenBytes) ReadByte() (byte, error) {
	c, err := b.Reader.ReadByte()
	if c == '=' {
		b.equals++
	}
	if b.equals > maxXMLEquals {
		return 0, errXML
	}
	return c, err
}

// limitedTokens are those of a document, as long as they are within the limits.
type limitedTokens struct {
	bytes           *tokenBytes
	from            *xml.Decoder
	depth, elements int
}

func (t *limitedTokens) Token() (xml.Token, error) {
	t.bytes.equals = 0
	token, err := t.from.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case xml.StartElement:
		t.depth++
		t.elements += 1 + len(token.Attr)
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
