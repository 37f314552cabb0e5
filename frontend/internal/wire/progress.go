package wire

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// piece is how much of an answer a client must take within the time that it may be idle.
const piece = 128 << 10

// withDeadlines gives a client the time idle for each of its steps: to send something of the body,
// to take a piece of the answer. How long all of it takes is not limited.
func withDeadlines(h http.Handler, idle time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d := &deadlines{http.NewResponseController(w), idle}
		body := &bodyWithDeadline{ReadCloser: r.Body, deadlines: d}
		body.ended.Store(r.Body == http.NoBody)
		// The server looks at the body of its own request, for one that a client holds back until it
		// is told to continue.
		r = r.WithContext(r.Context())
		r.Body = body
		// When the handler has returned, the server flushes, and reads what is left of the body.
		defer func() {
			d.write()
			if !body.ended.Load() {
				d.read()
			}
		}()
		h.ServeHTTP(&answerWithDeadline{w, d}, r)
	})
}

// deadlines moves those of a connection. One that cannot have any, as in a test, has none.
type deadlines struct {
	of   *http.ResponseController
	idle time.Duration
}

func (d *deadlines) read()  { _ = d.of.SetReadDeadline(time.Now().Add(d.idle)) }
func (d *deadlines) write() { _ = d.of.SetWriteDeadline(time.Now().Add(d.idle)) }

// A bodyWithDeadline sets none any more when it has ended: the server reads on then, to find out
// whether the client is gone, and at a deadline would think so.
type bodyWithDeadline struct {
	io.ReadCloser
	deadlines *deadlines
	ended     atomic.Bool
}

func (b *bodyWithDeadline) Read(p []byte) (int, error) {
	if b.ended.Load() {
		return 0, io.EOF
	}
	b.deadlines.read()
	b.deadlines.write() // of "100 Continue", which the first Read sends
	n, err := b.ReadCloser.Read(p)
	b.ended.Store(err == io.EOF)
	return n, err
}

type answerWithDeadline struct {
	http.ResponseWriter
	deadlines *deadlines
}

// Unwrap is for http.ResponseController.
func (a *answerWithDeadline) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answerWithDeadline) Write(p []byte) (n int, err error) {
	for {
		a.deadlines.write()
		k, err := a.ResponseWriter.Write(p[n:min(len(p), n+piece)])
		n += k
		if err != nil || n == len(p) {
			return n, err
		}
	}
}
