package face

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

// room is how many documents of the greatest size there is room for.
const room = longXML / (maxXML + 1)

// reading is a document that is being read from a client.
type reading struct {
	client *io.PipeWriter
	done   chan error
	doc    *document
}

// begin has a client send so much of a document.
func begin(d *Documents, size int) *reading {
	from, client := io.Pipe()
	r := &reading{client: client, done: make(chan error, 1)}
	go func() {
		var err error
		r.doc, err = d.read(from, "")
		from.Close()
		r.done <- err
	}()
	go func() { _, _ = client.Write(make([]byte, size)) }()
	synctest.Wait()
	return r
}

// TestHeldBackDocuments has many clients hold back the ends of long documents. What they take stays
// within its bound, short documents are read all the same, and so is a long one when the others have
// been silent for a while.
func TestHeldBackDocuments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &Documents{}
		var held []*reading
		for range 50 {
			held = append(held, begin(d, maxXML))
			if d.held > longXML {
				t.Fatalf("documents take %d bytes, may take %d", d.held, longXML)
			}
		}
		refused := 0
		for _, r := range held {
			select {
			case err := <-r.done:
				if refused++; !errors.Is(err, errBusy) {
					t.Error(err)
				}
				r.doc.close()
			default:
			}
		}
		if refused != 50-room {
			t.Errorf("%d of 50 were refused, want all but %d", refused, room)
		}
		if short, err := d.read(bytes.NewReader(make([]byte, smallXML)), ""); err != nil || short.held > 0 {
			t.Errorf("a short one: %v, it counts as %d bytes", err, short.held)
		}
		if doc, err := d.read(bytes.NewReader(make([]byte, maxXML)), ""); !errors.Is(err, errBusy) {
			t.Errorf("a long one: %v", err)
		} else {
			doc.close()
		}
		time.Sleep(documentSilence)
		doc, err := d.read(bytes.NewReader(make([]byte, maxXML)), "")
		if err != nil {
			t.Errorf("a long one after a while: %v", err)
		}
		doc.close()
		evicted := 0
		for _, r := range held {
			_ = r.client.Close() // of some the reading has ended
		}
		synctest.Wait()
		for _, r := range held {
			select {
			case err := <-r.done:
				if errors.Is(err, errBusy) {
					evicted++
				}
				r.doc.close()
			default:
			}
		}
		if evicted != 1 {
			t.Errorf("%d were cut off for one", evicted)
		}
		if d.held != 0 || len(d.open) != 0 {
			t.Errorf("at the end %d bytes of %d documents are held", d.held, len(d.open))
		}
	})
}

// TestTrickledDocuments has clients that always send a little: they may take their time, but not
// forever while others want the room.
func TestTrickledDocuments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &Documents{}
		var slow []*reading
		for range room {
			slow = append(slow, begin(d, maxXML-100))
		}
		long := func() error {
			doc, err := d.read(bytes.NewReader(make([]byte, maxXML)), "")
			doc.close()
			return err
		}
		start := time.Now()
		for time.Since(start) < documentTime-time.Second {
			for _, r := range slow {
				_, _ = r.client.Write([]byte{'x'})
			}
			synctest.Wait()
			if err := long(); !errors.Is(err, errBusy) {
				t.Fatalf("after %v: %v", time.Since(start), err)
			}
			time.Sleep(documentSilence / 2)
		}
		time.Sleep(time.Second)
		if err := long(); err != nil {
			t.Error(err)
		}
		for _, r := range slow {
			_ = r.client.Close()
			<-r.done
			r.doc.close()
		}
		if d.held != 0 {
			t.Errorf("%d bytes are held", d.held)
		}
	})
}

// TestDocumentsAreShared has one client send as many long documents as there is room for, without
// being slow: another one gets room for one of its own.
func TestDocumentsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &Documents{}
		var greedy []*reading
		for range room {
			greedy = append(greedy, begin(d, maxXML-100))
		}
		long := func(who string) error {
			doc, err := d.read(bytes.NewReader(make([]byte, maxXML)), who)
			doc.close()
			return err
		}
		for range 3 {
			if err := long("other"); err != nil {
				t.Error(err)
			}
		}
		lost := 0
		for _, r := range greedy {
			_ = r.client.Close()
			if err := <-r.done; errors.Is(err, errBusy) {
				lost++
			} else if err != nil {
				t.Error(err)
			}
		}
		if lost != 1 {
			t.Errorf("%d documents have made room for one at a time", lost)
		}
		for _, r := range greedy {
			r.doc.close()
		}
		if d.held != 0 {
			t.Errorf("%d bytes are held", d.held)
		}
	})
}

// TestDocumentsComeAsTheyAre reads documents of sizes around the limits, in reads of any size.
func TestDocumentsComeAsTheyAre(t *testing.T) {
	d := &Documents{}
	for _, size := range []int{0, 1, 8 << 10, smallXML, smallXML + 1, maxXML} {
		want := strings.Repeat("gabion", size/6+1)[:size]
		for name, from := range map[string]io.Reader{
			"whole": strings.NewReader(want), "halves": iotest.HalfReader(strings.NewReader(want)),
			"with EOF": iotest.DataErrReader(strings.NewReader(want)),
		} {
			doc, err := d.read(from, "")
			if err != nil || string(doc.text) != want {
				t.Errorf("%d bytes, %s: %d came, %v", size, name, len(doc.text), err)
			}
			doc.close()
		}
	}
	broken := errors.New("broken")
	doc, err := d.read(io.MultiReader(strings.NewReader("x"), iotest.ErrReader(broken)), "")
	if doc.close(); !errors.Is(err, broken) || d.held != 0 {
		t.Errorf("%v, %d bytes are held", err, d.held)
	}
}
