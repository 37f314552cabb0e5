package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// A flakyBody fails at one of its reads, which are counted from 1; at none if that is 0.
type flakyBody struct {
	data  *bytes.Reader
	at    int64
	reads atomic.Int64
	err   error
}

func (b *flakyBody) Read(p []byte) (int, error) {
	if b.reads.Add(1) == b.at {
		return 0, b.err
	}
	return b.data.Read(p)
}

func (b *flakyBody) ReadAt(p []byte, off int64) (int, error) {
	if b.reads.Add(1) == b.at {
		return 0, b.err
	}
	return b.data.ReadAt(p, off)
}

// TestUploadFailingBody fails the first, second, third ... read of a body, until an upload gets
// through. Nothing is left of one that failed; one whose parts are kept is resumed to the same
// object.
func TestUploadFailingBody(t *testing.T) {
	e, _ := memoryStore(t, &engine.Options{ChunkSize: managedChunk})
	mustBucket(t, e, "bucket")
	data := random(1, 2*minPart+managedChunk+1)
	failed := errors.New("the line was cut")
	for name, plain := range map[string]bool{"Reader": true, "ReaderAt": false} {
		for _, keep := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, KeepParts %t", name, keep), func(t *testing.T) {
				through := false
				for at := int64(1); !through && !t.Failed(); at++ {
					req := &engine.UploadRequest{
						Bucket: "bucket", Key: "key", PartSize: minPart, Parallel: 2, Size: int64(len(data)), KeepParts: keep,
					}
					body := func(at int64) (body io.Reader) {
						body = &flakyBody{data: bytes.NewReader(data), at: at, err: failed}
						if plain {
							body = onlyReader{body}
						}
						return body
					}
					req.Body = body(at)
					_, err := e.Upload(context.Background(), req)
					if through = err == nil; through && at < 15 {
						t.Errorf("%d reads are enough: the test has lost its grip", at)
					}
					if !through {
						e2 := asError(t, err)
						if !errors.Is(err, failed) || e2.Code != "IncompleteBody" || e2.Op != "Upload" || e2.PartNumber < 1 || e2.UploadID == "" {
							t.Errorf("read %d fails: %+v", at, e2)
						}
						if !keep {
							checkEmpty(t, e)
							continue
						}
						req.UploadID, req.Body = e2.UploadID, body(0)
						if _, err := e.Upload(context.Background(), req); err != nil {
							t.Errorf("resumed after read %d failed: %v", at, err)
						}
					}
					checkObject(t, e, "key", cut(data))
					mustDelete(t, e, "bucket", "key")
					checkEmpty(t, e)
				}
			})
		}
	}
}

// TestUploadPanics has the caller's own code panic. The body's panic is an error, that of Progress
// is the caller's, and neither leaves anything behind.
func TestUploadPanics(t *testing.T) {
	e := managedStore(t)
	data := random(1, 3*minPart)
	for name, body := range map[string]io.Reader{
		"Read":             readerFunc(func([]byte) (int, error) { panic("the body panics") }),
		"Read at a border": io.MultiReader(bytes.NewReader(data[:minPart]), readerFunc(func([]byte) (int, error) { panic("the body panics") })),
		"ReadAt":           panickingAt{},
		"too much":         readerFunc(func(p []byte) (int, error) { return len(p) + 1, nil }),
		"too much of one":  tooMuchOfOne(bytes.NewReader(data)),
		"less than none":   readerFunc(func([]byte) (int, error) { return -1, nil }),
		"never anything":   readerFunc(func([]byte) (int, error) { return 0, nil }),
	} {
		_, err := e.Upload(context.Background(), &engine.UploadRequest{Bucket: "bucket", Key: "key", Body: body, Size: 3 * minPart, PartSize: minPart})
		if !errors.Is(err, engine.ErrIncompleteBody) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, keep := range []bool{false, true} {
		for name, body := range map[string]io.Reader{"a body": bytes.NewReader(data), "a stalled body": stalling(t, data)} {
			uploadAndPanic(t, e, &engine.UploadRequest{
				Bucket: "bucket", Key: name, Body: body, Size: 3 * minPart, PartSize: minPart, KeepParts: keep,
			}, func() bool { return true })
		}
		if got := tallyOf(t, e); !keep && got != (tally{}) || keep && got.Uploads != 2 {
			t.Errorf("KeepParts %t: the store holds %+v", keep, got)
		}
	}
}

// uploadAndPanic has Progress panic when it is ready to.
func uploadAndPanic(t *testing.T, e *engine.Engine, req *engine.UploadRequest, ready func() bool) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Error("the caller's panic was swallowed")
		}
	}()
	req.Progress = func(int64) {
		eventually(ready)
		panic("progress panics")
	}
	_, err := e.Upload(context.Background(), req)
	t.Errorf("Upload returned with %v", err)
}

// tooMuchOfOne breaks the rules when it is asked for a single byte.
func tooMuchOfOne(r io.Reader) readerFunc {
	return func(p []byte) (int, error) {
		n, err := r.Read(p)
		if len(p) == 1 {
			n++
		}
		return n, err
	}
}

// slowPuts is a chunk store that takes its time, and counts what it is doing.
type slowPuts struct {
	*blob.Memory
	going atomic.Int64
}

func (s *slowPuts) Put(ctx context.Context, id blob.ID, frame []byte) (blob.Ref, error) {
	s.going.Add(1)
	defer s.going.Add(-1)
	time.Sleep(20 * time.Millisecond)
	return s.Memory.Put(ctx, id, frame)
}

// TestUploadWaits checks that no part is under way any more when an upload has failed.
func TestUploadWaits(t *testing.T) { synctest.Test(t, testUploadWaits) }

func testUploadWaits(t *testing.T) {
	blobs := &slowPuts{Memory: blob.NewMemory(1 << 20)}
	e, err := engine.OpenStores(t.Context(), index.NewMemory(), blobs, &engine.Options{ChunkSize: managedChunk})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	mustBucket(t, e, "bucket")
	data := random(1, 4*minPart)
	req := &engine.UploadRequest{Bucket: "bucket", Key: "key", Body: bytes.NewReader(data), Size: 4 * minPart, PartSize: minPart}
	uploadAndPanic(t, e, req, func() bool { return blobs.going.Load() > 0 })
	if n := blobs.going.Load(); n != 0 {
		t.Errorf("after a panic %d chunks are still being stored", n)
	}
	req.Progress, req.Body = nil, &flakyBody{data: bytes.NewReader(data), at: 20, err: io.ErrClosedPipe}
	if _, err := e.Upload(context.Background(), req); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("error is %v", err)
	}
	if n := blobs.going.Load(); n != 0 {
		t.Errorf("after an error %d chunks are still being stored", n)
	}
	checkEmpty(t, e)
}

// A panickingAt is a body that can be read side by side, but for the panics.
type panickingAt struct{ io.Reader }

func (panickingAt) ReadAt([]byte, int64) (int, error) { panic("the body panics") }

// TestUploadCancelled ends the context of an upload while it goes on, and while its body blocks.
func TestUploadCancelled(t *testing.T) {
	e := managedStore(t)
	for _, size := range []int64{0, 3 * minPart} {
		ctx, cancel := context.WithCancel(context.Background())
		_, err := e.Upload(ctx, &engine.UploadRequest{
			Bucket: "bucket", Key: "key", Body: bytes.NewReader(random(1, 3*minPart)), Size: size, PartSize: minPart, Parallel: 1,
			Progress: func(int64) { cancel() },
		})
		if !errors.Is(err, context.Canceled) || !errors.Is(err, engine.ErrRequestTimeout) || asError(t, err).UploadID == "" {
			t.Errorf("error is %v", err)
		}
		checkEmpty(t, e)
	}
	for _, data := range [][]byte{nil, random(1, 10), random(1, minPart), random(1, minPart+1)} {
		ctx, cancel := context.WithCancel(context.Background())
		body := stalling(t, data)
		go func() {
			<-body.stalled
			cancel()
		}()
		_, err := e.Upload(ctx, &engine.UploadRequest{Bucket: "bucket", Key: "key", Body: body, PartSize: minPart})
		if !errors.Is(err, context.Canceled) || !errors.Is(err, engine.ErrRequestTimeout) {
			t.Errorf("stalled after %d bytes: %v", len(data), err)
		}
		checkEmpty(t, e)
	}
}

// TestUploadFaults fails the first, second, third ... operation on the stores, until an upload gets
// through. After one error the upload is aborted; when the abort fails as well, both are said, and
// Expire takes what is left.
func TestUploadFaults(t *testing.T) {
	data := random(1, 2*minPart+5)
	for name, once := range map[string]bool{"one error": true, "power": false} {
		t.Run(name, func(t *testing.T) {
			joined, ring := 0, keys(t)
			for at := 1; ; at++ {
				f := newFaultRun(t, ring, at, once, 16<<10)
				f.must("CreateBucket", func() error {
					_, err := f.e.CreateBucket(context.Background(), &engine.CreateBucketRequest{Bucket: "bucket"})
					return err
				})
				_, err := f.e.Upload(context.Background(), &engine.UploadRequest{
					Bucket: "bucket", Key: "key", Body: bytes.NewReader(data), Size: int64(len(data)), PartSize: minPart,
				})
				reached := f.power.reached()
				if err != nil && (!errors.Is(err, errPower) || asError(t, err).Op != "Upload") {
					t.Errorf("operation %d fails: %v", at, err)
				}
				if err != nil && strings.Contains(err.Error(), "could not be aborted") {
					joined++
				}
				f.recover()
				f.power.disarm()
				if err == nil {
					checkObject(t, f.e, "key", cut(data))
					mustDelete(t, f.e, "bucket", "key")
				}
				if !once {
					f.expire()
				}
				mustReclaim(t, f.e) // again, since the operation that fails may have been one of it
				checkEmpty(t, f.e)
				if err := f.e.Close(); err != nil {
					t.Error(err)
				}
				if t.Failed() {
					t.Fatalf("operation %d failed", at)
				}
				if !reached {
					if at < 20 || once != (joined == 0) {
						t.Errorf("the upload took only %d operations, %d aborts failed: the test has lost its grip", at, joined)
					}
					return
				}
			}
		})
	}
}

// expire aborts all uploads.
func (f *faultRun) expire() {
	f.t.Helper()
	if _, err := f.e.Expire(context.Background(), &engine.ExpireRequest{Before: f.now.Add(time.Hour)}); err != nil {
		f.t.Error(err)
	}
}

// TestUploadClose closes the engine while an upload is read. It fails, and is aborted all the same,
// or kept for the next engine.
func TestUploadClose(t *testing.T) {
	data := random(1, 2*minPart)
	for _, keep := range []bool{false, true} {
		dir := t.TempDir()
		e := open(t, dir, &engine.Options{ChunkSize: managedChunk})
		mustBucket(t, e, "bucket")
		body := stalling(t, data)
		uploaded, closed := make(chan error, 1), make(chan error, 1)
		req := &engine.UploadRequest{Bucket: "bucket", Key: "key", Body: body, PartSize: minPart, KeepParts: keep}
		go func() {
			_, err := e.Upload(context.Background(), req)
			uploaded <- err
		}()
		<-body.stalled
		go func() { closed <- e.Close() }()
		awaitClose(context.Background(), e)
		body.goOn()
		err := <-uploaded
		if !errors.Is(err, engine.ErrClosed) {
			t.Errorf("Upload: %v", err)
		}
		if err := <-closed; err != nil {
			t.Errorf("Close: %v", err)
		}
		e = open(t, dir, &engine.Options{ChunkSize: managedChunk})
		if keep {
			req.UploadID, req.Body = asError(t, err).UploadID, bytes.NewReader(data)
			if _, err := e.Upload(context.Background(), req); err != nil {
				t.Errorf("resumed: %v", err)
			}
			checkObject(t, e, "key", cut(data))
			mustDelete(t, e, "bucket", "key")
		}
		checkEmpty(t, e)
	}
}
