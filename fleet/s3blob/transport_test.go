package s3blob_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// wire stands between a client and its server. It counts requests, and does to them what its
// functions say.
type wire struct {
	mu     sync.Mutex // guards what follows
	counts map[string]int
	// ask may answer a request itself, or change it. Answering nil passes it on.
	ask func(*http.Request) (*http.Response, error)
	// answer may change what the server has answered.
	answer func(*http.Request, *http.Response) (*http.Response, error)
}

// through returns a client like this one, whose requests go through the wire.
func (w *wire) through(client *s3.Client) *s3.Client {
	o := client.Options()
	o.HTTPClient = &http.Client{Transport: w}
	return s3.New(o)
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	if w.counts == nil {
		w.counts = make(map[string]int)
	}
	w.counts[kindOf(r)]++
	ask, answer := w.ask, w.answer
	w.mu.Unlock()
	if ask != nil {
		if res, err := ask(r); res != nil || err != nil {
			return res, err
		}
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && answer != nil {
		return answer(r, res)
	}
	return res, err
}

// count is how many requests of a kind there were.
func (w *wire) count(kind string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.counts[kind]
}

// set says what is done to requests from now on.
func (w *wire) set(
	ask func(*http.Request) (*http.Response, error),
	answer func(*http.Request, *http.Response) (*http.Response, error),
) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ask, w.answer = ask, answer
}

// kindOf is the method and what it is about, as in "PUT volumes".
func kindOf(r *http.Request) string {
	path := r.URL.Path + "?" + r.URL.Query().Get("prefix")
	for _, what := range []string{"volumes", "openings"} {
		if strings.Contains(path, what+"/") {
			return r.Method + " " + what
		}
	}
	return r.Method
}

// reply is an answer of S3 with an error.
func reply(r *http.Request, status int, code string) *http.Response {
	return replyWith(r, status, "<Error><Code>"+code+"</Code></Error>")
}

// replyWith is an answer with a body.
func replyWith(r *http.Request, status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header:        http.Header{"Content-Type": {"application/xml"}},
		ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body)),
	}
}

var errCut = errors.New("connection reset by a test")

// cut has the body of an answer end after so many bytes, as when the connection does.
func cut(res *http.Response, after int64) *http.Response {
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(io.LimitReader(res.Body, after), failingReader{}), res.Body}
	return res
}

// stall has the body of an answer stop after so many bytes, until the request ends.
func stall(r *http.Request, res *http.Response, after int64) {
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(io.LimitReader(res.Body, after), stallingReader{r.Context()}), res.Body}
}

type stallingReader struct{ request context.Context }

func (r stallingReader) Read([]byte) (int, error) {
	<-r.request.Done()
	return 0, r.request.Err()
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// swallowBody reads what the request sends, as a server does that fails then.
func swallowBody(r *http.Request) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		r.Body.Close()
		r.Body = io.NopCloser(bytes.NewReader(nil))
	}
}
