package face

import (
	"encoding/xml"

	"github.com/gabion-storage/gabion/engine"
)

// A Deletion is an entry of the list of DeleteObjects.
type Deletion struct {
	Key, ETag, Size, LastModifiedTime Name
	VersionID                         Name `xml:"VersionId"`
}

// ReadDeletions reads that list. One that is empty or too long fails the call before anything is asked
// about its entries.
func (c *Call) ReadDeletions() (list []Deletion, quiet bool) {
	var document struct {
		XMLName xml.Name   `xml:"Delete"`
		Objects []Deletion `xml:"Object"`
		Quiet   bool
	}
	c.ReadRaw(&document)
	if n := len(document.Objects); n == 0 || n > engine.MaxDeleteKeys {
		c.Fail(engine.ErrMalformedXML)
	}
	if c.Err != nil {
		return nil, false
	}
	return document.Objects, document.Quiet
}

// A Failure says why one entry failed.
type Failure struct {
	Key           Name
	Code, Message string
}

// Failed is that of a key.
func Failed(key string, err error) Failure {
	e := AsError(err)
	return Failure{Name(key), Code(e), e.Message}
}
