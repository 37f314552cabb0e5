package s3blob

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// watched is a client that gives an attempt up when nothing of it was sent or received for a while. A
// connection that was dropped without a word would have all the time of a request otherwise, and no
// other attempt could be made on another connection. A transfer that goes on is not disturbed, however
// slow it is.
type watched struct {
	s3.HTTPClient
	longest time.Duration // of silence
}

// Do is one attempt: the SDK calls it for each.
func (c watched) Do(r *http.Request) (*http.Response, error) {
	ctx, give := context.WithCancelCause(r.Context())
	a := &attempt{ctx: ctx, longest: c.longest, done: func() { give(nil) }}
	a.timer = time.AfterFunc(c.longest, func() { give(silentError(c.longest)) })
	r = r.WithContext(ctx)
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = sentBody{r.Body, a}
	}
	res, err := c.HTTPClient.Do(r)
	if err != nil {
		err = a.why(err)
		a.end()
		return res, err
	}
	a.timer.Reset(c.longest)
	res.Body = receivedBody{res.Body, a}
	return res, nil
}

// silentError says that an attempt was given up.
type silentError time.Duration

func (e silentError) Error() string {
	return fmt.Sprintf("nothing was sent or received for %v", time.Duration(e))
}

// Timeout has the SDK try again.
func (silentError) Timeout() bool { return true }

// Is has it count as the end of the time for a request, which it is part of.
func (silentError) Is(other error) bool { return other == context.DeadlineExceeded }

// attempt is one that is watched.
type attempt struct {
	ctx     context.Context // the request's, which is about to end with it
	longest time.Duration
	timer   *time.Timer
	done    func()
}

// goesOn notes that something was sent or received.
func (a *attempt) goesOn(n int) {
	if n > 0 {
		a.timer.Reset(a.longest)
	}
}

// why returns what an attempt has failed with, which is the silence if that has ended it.
func (a *attempt) why(err error) error {
	if silent, ok := context.Cause(a.ctx).(silentError); ok && err != nil && err != io.EOF {
		return silent
	}
	return err
}

func (a *attempt) end() {
	a.timer.Stop()
	a.done()
}

type sentBody struct {
	io.ReadCloser
	attempt *attempt
}

func (b sentBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.attempt.goesOn(n)
	return n, err
}

type receivedBody struct {
	io.ReadCloser
	attempt *attempt
}

func (b receivedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.attempt.goesOn(n)
	return n, b.attempt.why(err)
}

func (b receivedBody) Close() error {
	err := b.ReadCloser.Close()
	b.attempt.end()
	return err
}
