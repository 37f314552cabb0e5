package face

import (
	"encoding/xml"

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
