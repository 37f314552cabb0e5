package s3server

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// A Fault is what a Proxy does to a request. The zero Fault does nothing.
type Fault struct {
	Delay time.Duration // before anything else

	// Status and Code are the answer instead of the server's. Done has the server do what it was
	// asked all the same.
	Status int
	Code   string
	Done   bool

	Cut bool // the connection, in the middle of the answer
}

// A Proxy stands between nodes and a server.
type Proxy struct {
	Addr string // host and port

	mu    sync.Mutex // guards fault
	fault func(*http.Request) Fault
}

// NewProxy begins to listen; the test's end ends it.
func NewProxy(t *testing.T, s *Server) *Proxy {
	p := &Proxy{}
	target := &url.URL{Scheme: "http", Host: s.Addr}
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // which is signed
		},
		Transport:    p,
		ErrorLog:     log.New(io.Discard, "", 0), // of answers that are cut
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	server := httptest.NewServer(forward)
	t.Cleanup(server.Close)
	p.Addr = server.Listener.Addr().String()
	return p
}

// Set changes what is done to requests; nil lets them pass.
func (p *Proxy) Set(fault func(*http.Request) Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = fault
}

func (p *Proxy) faultOf(r *http.Request) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fault == nil {
		return Fault{}
	}
	return p.fault(r)
}

// RoundTrip implements http.RoundTripper.
func (p *Proxy) RoundTrip(r *http.Request) (*http.Response, error) {
	f := p.faultOf(r)
	time.Sleep(f.Delay)
	if f.Status != 0 && !f.Done {
		return answer(r, f), nil
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	switch {
	case err != nil:
		return nil, err
	case f.Status != 0:
		res.Body.Close()
		return answer(r, f), nil
	case f.Cut:
		res.Body = cutBody{io.LimitReader(res.Body, max(res.ContentLength, 0)/2), res.Body}
	}
	return res, nil
}

// answer is a fault as S3 answers.
func answer(r *http.Request, f Fault) *http.Response {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
	}
	body := fmt.Sprintf("<Error><Code>%s</Code></Error>", f.Code)
	return &http.Response{
		StatusCode: f.Status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header:        http.Header{"Content-Type": {"application/xml"}},
		ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body)),
	}
}

// cutBody ends with an error.
type cutBody struct {
	io.Reader
	io.Closer
}

func (b cutBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
