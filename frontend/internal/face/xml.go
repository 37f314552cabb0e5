package face

import (
	"bufio"
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/xml"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/internal/wire"
)

// ReadXML reads the body into a document. Nothing of it counts before all of it has been verified.
func (c *Call) ReadXML(document any) {
	body := c.readAll()
	c.checkSum(body)
	c.parse(body, document)
}

// notInXML says whether c is a character that documents cannot have.
func notInXML(c rune) bool {
	return c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == 0xfffe || c == 0xffff
}

// ReadRaw is as ReadXML, but leaves references in texts as they are, for Name:
// clients write keys with characters that XML does not have, by references, as &#x01;, or as they
// are, which become references. With these a document may be twice as long as it comes.
func (c *Call) ReadRaw(document any) {
	body := c.readAll()
	c.checkSum(body)
	length := 0
	var one [16]byte
	for rest := body; len(rest) > 0; {
		_, size := utf8.DecodeRune(rest)
		length += len(appendRaw(one[:0], rest[:size]))
		rest = rest[size:]
	}
	if length > maxRaw {
		c.Fail(engine.ErrMalformedXML)
		return
	}
	raw := make([]byte, 0, length)
	for rest := body; len(rest) > 0; {
		_, size := utf8.DecodeRune(rest)
		raw = appendRaw(raw, rest[:size])
		rest = rest[size:]
	}
	c.parse(raw, document)
}

// appendRaw appends the bytes of one character as ReadRaw writes them. A NUL is nowhere, and what is no
// character parse refuses.
func appendRaw(raw, character []byte) []byte {
	switch r, _ := utf8.DecodeRune(character); {
	case r == '&':
		return append(raw, "&amp;"...)
	case r != 0 && notInXML(r):
		raw = append(raw, "&amp;#x"...)
		return append(strconv.AppendInt(raw, int64(r), 16), ';')
	}
	return append(raw, character...)
}

// unescape is a text with what its references stand for, by the rules of XML, but that they may stand for
// characters that XML does not have.
func unescape(text string) (string, error) {
	var b strings.Builder
	before, rest, more := strings.Cut(text, "&")
	for b.WriteString(before); more; b.WriteString(before) {
		name, after, ended := strings.Cut(rest, ";")
		r := referred(name)
		if !ended || r == 0 {
			return "", engine.ErrMalformedXML
		}
		b.WriteRune(r)
		before, rest, more = strings.Cut(after, "&")
	}
	return b.String(), nil
}

// referred is the character that a reference stands for, 0 if it is none.
func referred(name string) rune {
	switch name {
	case "amp":
		return '&'
	case "lt":
		return '<'
	case "gt":
		return '>'
	case "quot":
		return '"'
	case "apos":
		return '\''
	}
	digits, ok := strings.CutPrefix(name, "#")
	base := 10
	if hexadecimal, x := strings.CutPrefix(digits, "x"); x {
		digits, base = hexadecimal, 16
	}
	n, err := strconv.ParseUint(digits, base, 31)
	if !ok || err != nil || !utf8.ValidRune(rune(n)) {
		return 0
	}
	return rune(n)
}

// HasBody says whether there is anything in a body that a client may leave out.
func (c *Call) HasBody() bool {
	if c.Err != nil {
		return false
	}
	body := bufio.NewReader(c.Body)
	_, err := body.Peek(1)
	c.Body = struct {
		io.Reader
		io.Closer
	}{body, c.Body}
	return err != io.EOF
}

// closeDocument gives back what the document takes that has been read, if one has.
func (c *Call) closeDocument() {
	if c.document != nil {
		c.document.close()
	}
}

// readAll reads the body of a document, which stays until the call ends.
func (c *Call) readAll() []byte {
	if c.Err != nil {
		return nil
	}
	document, err := c.Documents.read(io.LimitReader(c.Body, maxXML+1), c.AccessKey)
	c.document = document // Serve closes it
	body := document.text
	switch {
	case err == errBusy:
		c.Fail(err)
	case err != nil:
		c.Fail(engine.ErrIncompleteBody.Derive("The body could not be read.", err))
	case len(body) > maxXML:
		c.Fail(engine.ErrMalformedXML)
	}
	c.checkMD5(body)
	return body
}

func (c *Call) parse(body []byte, document any) {
	if c.Err != nil {
		return
	}
	if err := wire.UnmarshalXML(body, document); err != nil {
		c.Fail(engine.ErrMalformedXML.Derive("", err))
	}
}

// checkMD5 compares a body with its Content-MD5, if there is one.
func (c *Call) checkMD5(body []byte) {
	asked := c.R.Header.Get("Content-Md5")
	sum := md5.Sum(body)
	switch wanted, err := base64.StdEncoding.DecodeString(asked); {
	case asked == "":
	case err != nil || len(wanted) != len(sum):
		c.Fail(engine.ErrInvalidDigest)
	case !bytes.Equal(wanted, sum[:]):
		c.Fail(engine.ErrBadDigest)
	}
}

// Answer ends a call that has gone well with a document.
func (c *Call) Answer(root string, document any) {
	if c.Err == nil {
		c.WriteXML(http.StatusOK, xml.Name{Space: c.Namespace, Local: root}, document)
	}
}

// plainQuotes writes quotes as they are, which only attributes need escaped.
var plainQuotes = strings.NewReplacer("&#34;", `"`, "&#39;", "'")

// WriteError answers with the document of an error, which has no attributes, as WriteXML does. Quotes in
// its texts are as they are: S3 writes them so, and some clients compare texts without reading XML.
func (c *Call) WriteError(status int, document any) {
	var body strings.Builder
	root := xml.StartElement{Name: xml.Name{Local: "Error"}}
	_ = xml.NewEncoder(&body).EncodeElement(document, root) // into memory, of plain texts
	c.W.Header().Set("Content-Type", "application/xml")
	c.W.WriteHeader(status)
	if c.R.Method != http.MethodHead {
		_, _ = io.WriteString(c.W, xml.Header+plainQuotes.Replace(body.String())) // nobody to tell
	}
}

// WriteXML answers with a document, unless the client wants headers only. Whoever hangs up
// meanwhile does not want the rest.
func (c *Call) WriteXML(status int, root xml.Name, document any) {
	c.W.Header().Set("Content-Type", "application/xml")
	c.W.WriteHeader(status)
	if c.R.Method == http.MethodHead {
		return
	}
	if _, err := io.WriteString(c.W, xml.Header); err == nil {
		_ = xml.NewEncoder(c.W).EncodeElement(document, xml.StartElement{Name: root})
	}
}

// Quoted is an ETag as answers have it, nothing of none.
func Quoted(etag string) string {
	if etag == "" {
		return ""
	}
	return `"` + etag + `"`
}

// ISO is a time in XML: whole seconds, as headers have them.
func ISO(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05") + ".000Z" }

// An Owner is who owns something.
type Owner struct{ ID, DisplayName string }

// Account owns everything: everybody who comes in is one account.
var Account = Owner{"gabion", "gabion"}

// A tagging is a document of tags.
type tagging struct {
	XMLName xml.Name `xml:"Tagging"`
	Tags    []tag    `xml:"TagSet>Tag"`
}

// A tag is one of them.
type tag struct{ Key, Value string }
