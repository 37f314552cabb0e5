package wire_test

import (
	"bufio"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gabion-storage/gabion/frontend/internal/wire"
)

// A pipeListener gives a server connections within the process, so that time can be a bubble's.
type pipeListener struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// dial is a client's end of a new connection.
func (l *pipeListener) dial() net.Conn {
	client, server := net.Pipe()
	l.conns <- server
	return client
}

const idle = 30 * time.Second

// serve runs f beside a server, in a bubble.
func serve(t *testing.T, h http.HandlerFunc, f func(*testing.T, *pipeListener)) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipeListener()
		server := wire.NewServer(h, idle)
		served := make(chan error)
		go func() { served <- server.Serve(l) }()
		f(t, l)
		server.Close()
		if err := <-served; err != http.ErrServerClosed {
			t.Error(err)
		}
	})
}

// send writes a part of a request.
func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// answer reads an answer, and its body.
func answer(t *testing.T, r *bufio.Reader) (*http.Response, string) {
	t.Helper()
	a, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a, string(body)
}

// A stream is read as slowly as it comes, if only it comes.
func TestASlowBodyTakesItsTime(t *testing.T) {
	serve(t, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, " ", err)
	}, func(t *testing.T, l *pipeListener) {
		c := l.dial()
		send(t, c, put+"Content-Length: 100\r\n\r\n")
		for range 100 {
			time.Sleep(idle - time.Second)
			send(t, c, "x")
		}
		if _, body := answer(t, bufio.NewReader(c)); body != "100 <nil>" {
			t.Errorf("%q", body)
		}
		c.Close()
	})
}

// stalls are what a client may have sent when it stops.
var stalls = map[string]string{
	"before anything":        "",
	"in the headers":         "PUT / HTTP/1.1\r\nHost: x\r\nContent-Le",
	"before the body":        put + "Content-Length: 9\r\n\r\n",
	"in the body":            put + "Content-Length: 9\r\n\r\nabc",
	"in a chunk of HTTP":     put + "Transfer-Encoding: chunked\r\n\r\n9\r\nabc",
	"in a body nobody reads": "DELETE / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc",
	"when it may go on":      put + "Expect: 100-continue\r\nContent-Length: 9\r\n\r\n",
}

const put = "PUT / HTTP/1.1\r\nHost: x\r\n"

func TestAStalledClientIsCutOff(t *testing.T) {
	for name, sent := range stalls {
		t.Run(name, func(t *testing.T) {
			serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == "PUT" {
					if _, err := io.Copy(io.Discard, r.Body); err == nil {
						t.Error("the body ended well")
					}
				}
			}, func(t *testing.T, l *pipeListener) {
				c := l.dial()
				start := time.Now()
				go func() { _, _ = io.WriteString(c, sent) }()
				if _, err := io.Copy(io.Discard, c); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); took > 2*idle {
					t.Errorf("it took %v", took)
				}
				c.Close()
			})
		})
	}
}

// A client that waits for "100 Continue" gets its refusal without sending a body.
func TestARefusalDoesNotWaitForTheBody(t *testing.T) {
	serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
	}, func(t *testing.T, l *pipeListener) {
		c := l.dial()
		defer c.Close()
		start := time.Now()
		send(t, c, put+"Content-Length: 3\r\nExpect: 100-continue\r\n\r\n")
		res, _ := answer(t, bufio.NewReader(c))
		if took := time.Since(start); res.StatusCode != http.StatusForbidden || took > 0 {
			t.Errorf("%s after %v", res.Status, took)
		}
	})
}

// Two hundred clients that stall, 64 of them in the middle of a chunk, keep nobody waiting: not a
// moment passes in the bubble until all others are served.
func TestStalledClientsKeepNobodyWaiting(t *testing.T) {
	serve(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	}, func(t *testing.T, l *pipeListener) {
		start := time.Now()
		var stalled []net.Conn
		for i := range 200 {
			c := l.dial()
			if i < 64 {
				send(t, c, stalls["in a chunk of HTTP"])
			} else {
				send(t, c, stalls["in the headers"])
			}
			stalled = append(stalled, c)
		}
		synctest.Wait()
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				c := l.dial()
				defer c.Close()
				send(t, c, put+"Content-Length: 3\r\n\r\nabc")
				if _, body := answer(t, bufio.NewReader(c)); body != "3" {
					t.Errorf("%q", body)
				}
			})
		}
		wg.Wait()
		if waited := time.Since(start); waited != 0 {
			t.Errorf("the others waited %v", waited)
		}
		for _, c := range stalled {
			c.Close()
		}
	})
}

func TestASlowReaderTakesItsTime(t *testing.T) {
	const size = 1 << 20
	serve(t, func(w http.ResponseWriter, r *http.Request) {
		n, err := w.Write(make([]byte, size))
		if n != size || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}, func(t *testing.T, l *pipeListener) {
		c := l.dial()
		send(t, c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		read, buf := 0, make([]byte, 64<<10)
		for {
			time.Sleep(idle / 4)
			n, err := c.Read(buf)
			read += n
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if read < size {
			t.Errorf("%d bytes came", read)
		}
		c.Close()
	})
}

func TestAReaderThatStallsIsCutOff(t *testing.T) {
	serve(t, func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		if _, err := w.Write(make([]byte, 1<<20)); err == nil {
			t.Error("all was written")
		}
		if took := time.Since(start); took > 2*idle {
			t.Errorf("it took %v", took)
		}
	}, func(t *testing.T, l *pipeListener) {
		c := l.dial()
		send(t, c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		time.Sleep(3 * idle)
		if _, err := io.Copy(io.Discard, c); err != nil {
			t.Error(err)
		}
		c.Close()
	})
}

// What takes the server long is not the client's fault: neither a deadline of the body nor one of
// the answer may end it.
func TestWorkTakesItsTime(t *testing.T) {
	serve(t, func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
		time.Sleep(10 * idle)
		if err := r.Context().Err(); err != nil {
			t.Errorf("the request was given up: %v", err)
		}
		w.WriteHeader(http.StatusNoContent)
	}, func(t *testing.T, l *pipeListener) {
		c := l.dial()
		r := bufio.NewReader(c)
		for range 3 {
			send(t, c, put+"Content-Length: 3\r\n\r\nabc")
			if a, _ := answer(t, r); a.StatusCode != http.StatusNoContent {
				t.Error(a.Status)
			}
			time.Sleep(idle + idle/2) // the client has nothing to ask for a while
		}
		c.Close()
	})
}

func TestHeaderFloods(t *testing.T) {
	for name, headers := range map[string]string{
		"one that is long": "X-Amz-Meta-A: " + strings.Repeat("a", 1<<20) + "\r\n",
		"many":             strings.Repeat("A: b\r\n", 600),
		"endless":          strings.Repeat("A: b\r\n", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			serve(t, func(http.ResponseWriter, *http.Request) {
				t.Error("it was handled")
			}, func(t *testing.T, l *pipeListener) {
				c := l.dial()
				go func() { _, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n"+headers+"\r\n") }()
				a, _ := answer(t, bufio.NewReader(c))
				if a.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
					t.Error(a.Status)
				}
				c.Close()
			})
		})
	}
}

func TestLimitConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipes := newPipeListener()
		l := wire.LimitConnections(pipes, 2)
		accepted := make(chan net.Conn)
		done := make(chan error)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					done <- err
					return
				}
				accepted <- c
			}
		}()
		go func() {
			for range 3 {
				pipes.dial()
			}
		}()
		first, second := <-accepted, <-accepted
		synctest.Wait()
		select {
		case <-accepted:
			t.Error("a third one came in")
		default:
		}
		first.Close()
		first.Close() // once is enough
		third := <-accepted
		second.Close()
		third.Close()
		l.Close()
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
}

func TestUnmarshalXML(t *testing.T) {
	type document struct {
		XMLName xml.Name `xml:"CompleteMultipartUpload"`
		Part    []struct {
			PartNumber int
			ETag       string
		}
	}
	part := "<Part><PartNumber>1</PartNumber><ETag>a</ETag><A>x</A><B>x</B><C>x</C></Part>"
	wrap := func(s string) string {
		return "<CompleteMultipartUpload>" + s + "</CompleteMultipartUpload>"
	}
	for _, c := range []struct {
		name, text string
		parts      int
		ok         bool
	}{
		{"one", wrap(part), 1, true},
		{"with a declaration", `<?xml version="1.0" encoding="UTF-8"?>` + wrap(part), 1, true},
		{"as many as there can be", wrap(strings.Repeat(part, 10000)), 10000, true},
		{"empty", "", 0, false},
		{"cut off", "<CompleteMultipartUpload><Part>", 0, false},
		{"another one", "<Delete></Delete>", 0, false},
		{"not a number", wrap("<Part><PartNumber>x</PartNumber></Part>"), 0, false},
		{"too many elements", wrap(strings.Repeat("<Part/>", 100_000)), 0, false},
		{"too deep", wrap(strings.Repeat("<A>", 20) + strings.Repeat("</A>", 20)), 0, false},
		{"deeper than a stack", strings.Repeat("<A>", 1<<20), 0, false},
		{"a key of signs", wrap("<Part><ETag>" + strings.Repeat("=", 1024) + "</ETag></Part>"), 1, true},
		{"keys of signs", wrap(strings.Repeat("<Part><ETag>"+strings.Repeat("=", 1024)+"</ETag></Part>", 1000)), 1000, true},
		{"a namespace a part", wrap(strings.Repeat(strings.Replace(part, "<Part>", `<Part xmlns="" a="=">`, 1), 10000)), 10000, true},
		{"too many attributes of one", wrap("<Part" + strings.Repeat(" a=''", 5000) + "/>"), 0, false},
		{"too many attributes", wrap(strings.Repeat("<Part"+strings.Repeat(" a=''", 20)+"/>", 5000)), 0, false},
		{"a document type", "<!DOCTYPE x [<!ENTITY a \"b\">]>" + wrap(part), 0, false},
		{"an entity of its own", wrap("<Part><ETag>&a;</ETag></Part>"), 0, false},
	} {
		var d document
		err := wire.UnmarshalXML([]byte(c.text), &d)
		if (err == nil) != c.ok || c.ok && len(d.Part) != c.parts {
			t.Errorf("%s: %d parts, %v", c.name, len(d.Part), err)
		}
	}
}
