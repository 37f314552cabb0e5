package face

import (
	"io"
	"net/http"
	"sync"
	"time"
)

// Limits of documents, in bytes.
const (
	maxRaw   = 2 * maxXML // one with its references written as texts: see ReadRaw
	maxXML   = 4 << 20    // one that a request may have: ten thousand parts need less
	smallXML = 64 << 10   // one that does not count among the long ones
	longXML  = 32 << 20   // all long ones together, of all requests of a face
)

// How long a document may keep the memory that another one wants.
const (
	documentSilence = time.Second      // while nothing comes of it
	documentTime    = 10 * time.Second // altogether, while something comes now and then
)

// errBusy refuses a document for which there is no room. Clients of both services try again.
var errBusy = Refuse(http.StatusServiceUnavailable, "ServiceUnavailable",
	"Too many long documents are being read. Please try again.")

// Documents are the bodies of requests that are read as a whole, with a bound on what they take
// together: else clients that hold back the ends of theirs would have the server hold the rest, for
// as long as they like. A document for which there is no room takes that of one whose client is
// slow, or of the access key whose documents take the most, if that is more than its own key's would
// take; else it is refused itself. The zero value is ready, and safe for concurrent use.
type Documents struct {
	mu   sync.Mutex
	held int // bytes that long documents take, those too that have been read
	open map[*document]struct{}
}

// A document is one of them.
type document struct {
	of  *Documents
	key string // the access key of who sends it, empty for whoever has none

	// Guarded by of.mu until the document has been read.
	text         []byte
	held         int // of those of Documents
	begun, heard time.Time
	evicted      bool
}

// read reads a document. It must be closed, whatever the error.
func (d *Documents) read(from io.Reader, key string) (*document, error) {
	doc := &document{of: d, key: key, begun: time.Now()}
	defer d.leave(doc)
	// Read into a block of its own: what a client is waited for with can be taken away.
	block := make([]byte, 8<<10)
	for {
		n, err := from.Read(block)
		if !d.add(doc, block[:n]) {
			return doc, errBusy
		}
		switch {
		case err == io.EOF:
			return doc, nil
		case err != nil:
			return doc, err
		case n == len(block) && n < smallXML:
			block = make([]byte, 2*n)
		}
	}
}

// add adds to a document that is being read. It is false if there is no room for it, or not any more.
func (d *Documents) add(doc *document, p []byte) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if doc.evicted {
		return false
	}
	doc.heard = time.Now()
	if need := len(doc.text) + len(p); need > cap(doc.text) {
		most := maxXML + 1
		if need <= smallXML {
			most = smallXML
		}
		size := max(need, min(2*cap(doc.text), most))
		if !d.makeRoom(doc, size) {
			return false
		}
		doc.text = append(make([]byte, 0, size), doc.text...)
	}
	doc.text = append(doc.text, p...)
	return true
}

// makeRoom counts a document as one of so many bytes, if there is room for that.
func (d *Documents) makeRoom(doc *document, size int) bool {
	if size <= smallXML {
		return true
	}
	more := size - doc.held
	for d.held+more > longXML {
		out := d.slow(doc)
		if out == nil {
			out = d.largest(doc, more)
		}
		if out == nil {
			return false
		}
		d.held -= out.held
		out.held, out.text, out.evicted = 0, nil, true
		delete(d.open, out)
	}
	if d.open == nil {
		d.open = make(map[*document]struct{})
	}
	d.open[doc] = struct{}{}
	d.held += more
	doc.held = size
	return true
}

// slow is a long document other than but whose client is slow, or nil.
func (d *Documents) slow(but *document) *document {
	now := time.Now()
	for doc := range d.open {
		if doc != but &&
			(now.Sub(doc.heard) >= documentSilence || now.Sub(doc.begun) >= documentTime) {
			return doc
		}
	}
	return nil
}

// largest is the longest of the long documents of the key that has most of them, in bytes, or nil
// if that is no more than what the key of doc would have with so many more.
func (d *Documents) largest(doc *document, more int) (out *document) {
	held := make(map[string]int)
	for other := range d.open {
		held[other.key] += other.held
	}
	most := held[doc.key] + more
	for other := range d.open {
		if n := held[other.key]; n > most || n == most && out != nil && other.held > out.held {
			most, out = n, other
		}
	}
	return out
}

// leave ends the reading of a document: it keeps what it has until it is closed.
func (d *Documents) leave(doc *document) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.open, doc)
}

// close gives back what a document takes.
func (doc *document) close() {
	doc.of.mu.Lock()
	defer doc.of.mu.Unlock()
	doc.of.held -= doc.held
	doc.held, doc.text = 0, nil
}
