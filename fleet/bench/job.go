package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// What a process may be told to do.
const (
	doesPut   = "put"   // objects, each by a call of its own
	doesParts = "parts" // parts of one upload, which is completed then
	doesRead  = "read"  // ranges of an object, after parts that nobody measures
)

// bucketName is the bucket that everything goes to.
const bucketName = "bench"

// A job is what one process is told to do.
type job struct {
	Client        string // gabion or straight
	Index, Chunks string
	Node          string // of no other process
	Does          string
	Size          int64 // bytes of a call
	Calls         int
	Parallel      int // calls at a time
}

// A result is how long each call took.
type result struct {
	Calls []time.Duration
}

// A client stores and reads objects of the bucket, which it makes.
type client interface {
	put(ctx context.Context, key string, body []byte) error
	begin(ctx context.Context, key string) (upload string, err error)
	part(ctx context.Context, key, upload string, number int, body []byte) (etag string, err error)
	complete(ctx context.Context, key, upload string, etags []string) error
	read(ctx context.Context, key string, start, length int64) (n int64, err error)
	close() error
}

// work does the job of a process: it gets ready, waits for a line, goes, and says the result.
func work(ctx context.Context, spec string, stdin io.Reader, stdout io.Writer) (err error) {
	var j job
	if err := json.Unmarshal([]byte(spec), &j); err != nil {
		return err
	}
	c, err := dial(ctx, &j)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	measure, err := j.prepare(ctx, c)
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, ready)
	if _, err := bufio.NewReader(stdin).ReadString('\n'); err != nil {
		return err
	}
	res, err := measure()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, encode(res))
	return err
}

func dial(ctx context.Context, j *job) (client, error) {
	if j.Client == gabion {
		return dialGabion(ctx, j)
	}
	return dialStraight(ctx, j)
}

// prepare does what is not measured, and returns what is.
func (j *job) prepare(ctx context.Context, c client) (measure func() (result, error), err error) {
	switch j.Does {
	case doesPut:
		return func() (result, error) {
			return j.each(func(i int, body []byte) error {
				return c.put(ctx, fmt.Sprintf("%s/%d", j.Node, i), body)
			})
		}, nil
	case doesParts:
		return j.parts(ctx, c)
	case doesRead:
		upload, err := j.parts(ctx, c)
		if err != nil {
			return nil, err
		}
		if _, err := upload(); err != nil {
			return nil, err
		}
		return func() (result, error) {
			return j.each(func(i int, _ []byte) error {
				n, err := c.read(ctx, j.Node, int64(i)*j.Size, j.Size)
				if err == nil && n != j.Size {
					err = fmt.Errorf("%d bytes were read, not %d", n, j.Size)
				}
				return err
			})
		}, nil
	}
	return nil, fmt.Errorf("nobody can do %q", j.Does)
}

// parts begins an upload, and returns what sends its parts and completes it. Small parts are not
// completed: they are too small for that.
func (j *job) parts(ctx context.Context, c client) (func() (result, error), error) {
	upload, err := c.begin(ctx, j.Node)
	if err != nil {
		return nil, err
	}
	etags := make([]string, j.Calls)
	return func() (result, error) {
		res, err := j.each(func(i int, body []byte) (err error) {
			etags[i], err = c.part(ctx, j.Node, upload, i+1, body)
			return err
		})
		if err == nil && j.Size >= bigSize {
			err = c.complete(ctx, j.Node, upload, etags)
		}
		return res, err
	}, nil
}

// rangeOf is a header that asks for so many bytes.
func rangeOf(start, length int64) string { return fmt.Sprintf("bytes=%d-%d", start, start+length-1) }

// each makes the calls, so many at a time, with a body that is never the same.
func (j *job) each(call func(i int, body []byte) error) (result, error) {
	res := result{Calls: make([]time.Duration, j.Calls)}
	var next atomic.Int64
	var workers sync.WaitGroup
	errs := make([]error, j.Parallel)
	for w := range errs {
		workers.Go(func() {
			body := make([]byte, j.Size)
			_, _ = rand.Read(body) // it never fails
			for {
				i := int(next.Add(1)) - 1
				if i >= j.Calls || errs[w] != nil {
					return
				}
				stamp(body, uint64(i))
				begin := time.Now()
				errs[w] = call(i, body)
				res.Calls[i] = time.Since(begin)
			}
		})
	}
	workers.Wait()
	return res, errors.Join(errs...)
}

// stamp makes every chunk of a body another one than that of before.
func stamp(body []byte, number uint64) {
	const every = 64 << 10
	for at := 0; at < len(body); at += every {
		binary.BigEndian.PutUint64(body[at:], number)
	}
}
