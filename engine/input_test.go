package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// TestBodies sends bodies through readers of every manner. What ends well is stored whole; what
// fails leaves nothing.
func TestBodies(t *testing.T) {
	const chunk = 4 << 10
	e := openTemp(t, &engine.Options{ChunkSize: chunk, MemoryBudget: 4 * chunk})
	id := mustInitiate(t, e, "bucket", "key", "")
	data := random(1, 5*chunk+17)
	whole := func(wrap func(io.Reader) io.Reader) io.Reader { return wrap(bytes.NewReader(data)) }
	failed := errors.New("the line was cut")
	for _, row := range []struct {
		name string
		body io.Reader
		size int64
		want error // what errors.Is finds beside ErrIncompleteBody; nil if the part is stored
	}{
		{name: "HalfReader", body: whole(iotest.HalfReader)},
		{name: "OneByteReader", body: whole(iotest.OneByteReader)},
		{name: "DataErrReader", body: whole(iotest.DataErrReader)},
		{name: "DataErrReader and Size", body: whole(iotest.DataErrReader), size: int64(len(data))},
		{name: "zero reads in between", body: whole(func(r io.Reader) io.Reader { return &lazyReader{r: r} })},
		{name: "error at once", body: iotest.ErrReader(failed), want: failed},
		{name: "error within the first chunk", body: failing(string(data[:10]), failed), want: failed},
		{name: "error at the end of a chunk", body: failing(string(data[:2*chunk]), failed), want: failed},
		{name: "error behind the last byte", body: failing(string(data), failed), size: int64(len(data)), want: failed},
		{name: "error together with data", body: iotest.DataErrReader(failing(string(data[:chunk+1]), failed)), want: failed},
		{name: "error instead of the last byte", body: failing(string(data[:len(data)-1]), failed), size: int64(len(data)), want: failed},
		// As the body of an HTTP request is, when the client goes away.
		{name: "unexpected end within a chunk", body: failing(string(data[:10]), io.ErrUnexpectedEOF), want: io.ErrUnexpectedEOF},
		{name: "unexpected end between chunks", body: failing(string(data[:chunk]), io.ErrUnexpectedEOF), want: io.ErrUnexpectedEOF},
		{name: "unexpected end at once", body: iotest.ErrReader(io.ErrUnexpectedEOF), want: io.ErrUnexpectedEOF},
		{name: "unexpected end, wrapped", body: failing(string(data[:10]), fmt.Errorf("body: %w", io.ErrUnexpectedEOF)), want: io.ErrUnexpectedEOF},
		{name: "wrapped end", body: failing(string(data[:10]), fmt.Errorf("body: %w", io.EOF)), want: io.EOF},
		{name: "the reader's own cancellation", body: failing(string(data[:10]), context.Canceled), want: context.Canceled},
	} {
		t.Run(row.name, func(t *testing.T) {
			before := tallyOf(t, e)
			var done int64
			got, err := e.UploadPart(context.Background(), &engine.UploadPartRequest{
				Bucket: "bucket", Key: "key", UploadID: id, PartNumber: 1, Body: row.body, Size: row.size,
				Progress: func(n int64) {
					if n <= done {
						t.Errorf("Progress goes from %d to %d", done, n)
					}
					done = n
				},
			})
			if row.want == nil {
				if err != nil || got.Size != int64(len(data)) || got.ETag != md5ETag(data) || done != got.Size {
					t.Errorf("stored as %+v, %v, Progress at %d", got, err, done)
				}
				return
			}
			if !errors.Is(err, engine.ErrIncompleteBody) || !errors.Is(err, row.want) {
				t.Fatalf("error is %v, want ErrIncompleteBody for %v", err, row.want)
			}
			if after := tallyOf(t, e); after != before {
				t.Errorf("the store holds %+v, held %+v before", after, before)
			}
		})
	}
	checkLive(t, e)
}

// TestNilBody checks that a nil Body is an empty one.
func TestNilBody(t *testing.T) {
	e := openTemp(t, nil)
	id := mustInitiate(t, e, "bucket", "key", "")
	got, err := e.UploadPart(context.Background(), &engine.UploadPartRequest{Bucket: "bucket", Key: "key", UploadID: id, PartNumber: 1})
	if err != nil || got.Size != 0 || got.ETag != md5ETag(nil) || got.CRC64 != 0 {
		t.Fatalf("a nil Body gives %+v, %v", got, err)
	}
	mustComplete(t, e, "bucket", "key", id)
	if got := readAll(t, e, "bucket", "key"); len(got) != 0 {
		t.Errorf("the object has %d bytes", len(got))
	}
}

// TestBrokenBodies has the caller's own code break the rules: an error, never a dead process, and
// nothing is left behind.
func TestBrokenBodies(t *testing.T) {
	e := openTemp(t, nil)
	id := mustInitiate(t, e, "bucket", "key", "")
	for name, read := range map[string]readerFunc{
		"panics":           func([]byte) (int, error) { panic("the body panics") },
		"returns too much": func(p []byte) (int, error) { return len(p) + 1, nil },
		"returns below 0":  func([]byte) (int, error) { return -1, nil },
		"never gets on":    func([]byte) (int, error) { return 0, nil },
	} {
		_, err := e.UploadPart(context.Background(), &engine.UploadPartRequest{Bucket: "bucket", Key: "key", UploadID: id, PartNumber: 1, Body: read})
		if !errors.Is(err, engine.ErrIncompleteBody) {
			t.Errorf("a body that %s: %v", name, err)
		}
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the caller's panic was swallowed")
			}
		}()
		_, err := e.UploadPart(context.Background(), &engine.UploadPartRequest{
			Bucket: "bucket", Key: "key", UploadID: id, PartNumber: 1, Body: bytes.NewReader(random(1, 5<<20)),
			Progress: func(int64) { panic("progress panics") },
		})
		t.Errorf("UploadPart returned with %v", err)
	}()
	checkLive(t, e)
}

// A lazyReader returns nothing, and no error, every second time.
type lazyReader struct {
	r    io.Reader
	idle bool
}

func (l *lazyReader) Read(p []byte) (int, error) {
	if l.idle = !l.idle; l.idle {
		return 0, nil
	}
	return l.r.Read(p)
}

// TestFailuresLeakNothing fails 200 uploads in every way that there is, with room for four chunks
// in memory, and looks for what they left behind: memory, goroutines, records, dead bytes beyond
// those that were written.
func TestFailuresLeakNothing(t *testing.T) {
	const chunk = 4 << 10
	e := openTemp(t, &engine.Options{ChunkSize: chunk, MemoryBudget: 4 * chunk, Keys: keys(t)})
	id := mustInitiate(t, e, "bucket", "key", "AES256")
	kept := random(1, 3*chunk)
	mustPart(t, e, "bucket", "key", id, 1, kept)
	before, parts, dead := tallyOf(t, e), partsOf(t, e, "bucket", "key", id), stats(t, e).DeadBytes
	failed := errors.New("the line was cut")
	wrong := uint64(1)
	sent := int64(0)
	for i := range 200 {
		n := i * chunk / 40 // none to five chunks
		sent += int64(n)
		body := random(uint64(100+i), n)
		req := &engine.UploadPartRequest{Bucket: "bucket", Key: "key", UploadID: id, PartNumber: 1 + i%2}
		ctx, cancel := context.WithCancel(context.Background())
		switch i % 5 {
		case 0:
			req.Body = io.MultiReader(bytes.NewReader(body), iotest.ErrReader(failed))
		case 1:
			req.Body, req.Size = bytes.NewReader(body), int64(n)+1
		case 2:
			req.Body, req.CRC64 = bytes.NewReader(body), &wrong
		case 3:
			req.Body, req.ContentMD5 = bytes.NewReader(body), "AAAAAAAAAAAAAAAAAAAAAA=="
		case 4:
			req.Body = io.MultiReader(bytes.NewReader(body), readerFunc(func([]byte) (int, error) {
				cancel()
				<-ctx.Done()
				return 0, ctx.Err()
			}))
		}
		if _, err := e.UploadPart(ctx, req); err == nil {
			t.Fatalf("upload %d did not fail", i)
		}
		cancel()
	}
	if after := tallyOf(t, e); after != before {
		t.Errorf("the store holds %+v, held %+v before", after, before)
	}
	if after := partsOf(t, e, "bucket", "key", id); same(after, parts) != nil {
		t.Errorf("the upload has parts %v, had %v before", after, parts)
	}
	// A frame costs a little more than its chunk.
	if grown := stats(t, e).DeadBytes - dead; grown > sent+sent/10+200*100 {
		t.Errorf("%d bytes are dead of %d sent", grown, sent)
	}
	checkLive(t, e)
	checkIntake(t)
	mustPart(t, e, "bucket", "key", id, 2, random(2, 20*chunk))
	if got := partsOf(t, e, "bucket", "key", id); len(got) != 2 || got[0].ETag != md5ETag(kept) {
		t.Errorf("the upload has parts %v", got)
	}
}

// checkIntake waits until no goroutine takes a part in.
func checkIntake(t testing.TB) {
	t.Helper()
	stacks := make([]byte, 1<<20)
	if !eventually(func() bool {
		now := stacks[:runtime.Stack(stacks, true)]
		return !bytes.Contains(now, []byte("/intake."))
	}) {
		t.Errorf("a part is still taken in:\n%s", stacks[:runtime.Stack(stacks, true)])
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// A stalledReader gives its data and then blocks until it is let go; then it ends.
type stalledReader struct {
	data    io.Reader
	stalled chan struct{} // closed when it blocks
	let     chan struct{} // closed when it is let go

	stall, letGo sync.Once
}

// stalling returns a reader that goes on when the test ends, if it was not let go before.
func stalling(t testing.TB, data []byte) *stalledReader {
	r := &stalledReader{data: bytes.NewReader(data), stalled: make(chan struct{}), let: make(chan struct{})}
	t.Cleanup(r.goOn)
	return r
}

func (r *stalledReader) goOn() { r.letGo.Do(func() { close(r.let) }) }

func (r *stalledReader) Read(p []byte) (int, error) {
	n, err := r.data.Read(p)
	if n > 0 {
		return n, nil
	}
	r.stall.Do(func() { close(r.stalled) })
	<-r.let
	return 0, err
}

// TestStalledBody cancels calls whose bodies block for ever. What they held is free while they
// still do.
func TestStalledBody(t *testing.T) {
	const chunk = 4 << 10
	e := openTemp(t, &engine.Options{ChunkSize: chunk, MemoryBudget: 4 * chunk})
	id := mustInitiate(t, e, "bucket", "key", "")
	mustPart(t, e, "bucket", "key", id, 1, []byte("as before"))
	before := tallyOf(t, e)

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var bodies []*stalledReader
	errs := make(chan error)
	upload := func(ctx context.Context, body io.Reader) {
		_, err := e.UploadPart(ctx, &engine.UploadPartRequest{Bucket: "bucket", Key: "key", UploadID: id, PartNumber: 1, Body: body})
		errs <- err
	}
	for i := range 4 {
		body := stalling(t, random(uint64(i), 10))
		bodies = append(bodies, body)
		go upload(ctx, body)
		<-body.stalled
	}
	cancel()
	for range bodies {
		err := <-errs
		if !errors.Is(err, context.Canceled) || !errors.Is(err, engine.ErrRequestTimeout) {
			t.Errorf("stalled: %v, want ErrRequestTimeout for context.Canceled", err)
		}
	}
	if after := tallyOf(t, e); after != before {
		t.Errorf("the store holds %+v, held %+v before", after, before)
	}
	mustPart(t, e, "bucket", "key", id, 2, random(1, 10*chunk))
	for _, body := range bodies {
		body.goOn()
	}
	checkIntake(t)
}

// TestDeadline checks that a deadline is told from a cancellation.
func TestDeadline(t *testing.T) {
	e := openTemp(t, nil)
	id := mustInitiate(t, e, "bucket", "key", "")
	body := stalling(t, nil)
	defer body.goOn()
	ctx, cancel := context.WithTimeout(context.Background(), 1)
	defer cancel()
	_, err := e.UploadPart(ctx, &engine.UploadPartRequest{Bucket: "bucket", Key: "key", UploadID: id, PartNumber: 1, Body: body})
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, engine.ErrRequestTimeout) {
		t.Errorf("error is %v", err)
	}
}

// TestCloseWaits closes the engine under a stalled call. Close waits for it, until it goes on or
// its context ends.
func TestCloseWaits(t *testing.T) {
	for name, goesOn := range map[string]bool{"the body goes on": true, "the context ends": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testCloseWaits(t, goesOn) })
		})
	}
}

func testCloseWaits(t *testing.T, goesOn bool) {
	idx, blobs := index.NewMemory(), blob.NewMemory(0)
	e := openInBubble(t, lastingIndex{idx}, lastingBlobs{blobs})
	id := mustInitiate(t, e, "bucket", "key", "")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	body := stalling(t, random(1, 10))
	uploaded, closed, called := make(chan error, 1), make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := e.UploadPart(ctx, &engine.UploadPartRequest{Bucket: "bucket", Key: "key", UploadID: id, PartNumber: 1, Body: body})
		uploaded <- err
	}()
	<-body.stalled
	go func() { closed <- e.Close() }()
	synctest.Wait() // until nothing goes on any more

	// Meanwhile no call waits longer than its context lets it.
	short, stop := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer stop()
	go func() {
		_, err := e.ListBuckets(short, &engine.ListBucketsRequest{})
		called <- err
	}()
	if err := <-called; !errors.Is(err, engine.ErrClosed) && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a call while Close waited: %v", err)
	}
	synctest.Wait()
	select {
	case err := <-closed:
		t.Fatalf("Close did not wait: %v", err)
	default:
	}
	want := error(nil)
	if goesOn {
		body.goOn()
	} else {
		defer body.goOn()
		cancel()
		want = context.Canceled
	}
	if err := <-uploaded; !errors.Is(err, want) {
		t.Errorf("the upload ended with %v, want %v", err, want)
	}
	if err := <-closed; err != nil {
		t.Errorf("Close: %v", err)
	}
	e = openInBubble(t, idx, blobs)
	if got := partsOf(t, e, "bucket", "key", id); len(got) == 1 != goesOn {
		t.Errorf("after reopening the upload has parts %v", got)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

// openInBubble opens an engine on two stores, in the bubble of the test, which closes it.
func openInBubble(t *testing.T, idx index.Store, blobs blob.Store) *engine.Engine {
	t.Helper()
	e, err := engine.OpenStores(t.Context(), idx, blobs, nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestCloseDuringCopy closes the engine while a part is read from an object of the same engine.
func TestCloseDuringCopy(t *testing.T) {
	const chunk = 4 << 10
	e := openTemp(t, &engine.Options{ChunkSize: chunk, MemoryBudget: 4 * chunk})
	mustObject(t, e, "bucket", "source", "", random(1, 3*chunk))
	id := mustInitiate(t, e, "bucket", "target", "")
	source := mustGet(t, e, "bucket", "source", "")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	reading, let := make(chan struct{}), make(chan struct{})
	first := true
	uploaded, closed := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := e.UploadPart(ctx, &engine.UploadPartRequest{
			Bucket: "bucket", Key: "target", UploadID: id, PartNumber: 1,
			Body: readerFunc(func(p []byte) (int, error) {
				if first {
					first = false
					close(reading)
					<-let
				}
				return source.Read(p)
			}),
		})
		uploaded <- err
	}()
	<-reading
	go func() { closed <- e.Close() }()
	awaitClose(ctx, e)
	close(let)
	if !eventually(func() bool { return len(uploaded) > 0 && len(closed) > 0 }) {
		t.Error("UploadPart and Close wait for each other")
		cancel()
	}
	if err := <-uploaded; err != nil && !errors.Is(err, engine.ErrClosed) && !errors.Is(err, context.Canceled) {
		t.Errorf("UploadPart: %v", err)
	}
	if err := <-closed; err != nil {
		t.Errorf("Close: %v", err)
	}
}

// awaitClose returns when a Close under way no longer lets calls begin: they fail, or they hang,
// which is believed after a while.
func awaitClose(ctx context.Context, e *engine.Engine) {
	began := make(chan struct{})
	go func() {
		defer close(began)
		for {
			if _, err := e.ListBuckets(ctx, &engine.ListBucketsRequest{}); err != nil {
				return
			}
		}
	}()
	select {
	case <-began:
	case <-time.After(100 * time.Millisecond):
	}
}

// TestEndedContext makes calls with a context that has ended already.
func TestEndedContext(t *testing.T) {
	e := openTemp(t, nil)
	id := mustInitiate(t, e, "bucket", "key", "")
	before := tallyOf(t, e)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for name, call := range map[string]func() error{
		"UploadPart": func() error {
			_, err := e.UploadPart(ctx, &engine.UploadPartRequest{Bucket: "bucket", Key: "key", UploadID: id, PartNumber: 1, Body: strings.NewReader("x")})
			return err
		},
		"CompleteMultipartUpload": func() error {
			_, err := e.CompleteMultipartUpload(ctx, &engine.CompleteMultipartUploadRequest{Bucket: "bucket", Key: "key", UploadID: id})
			return err
		},
		"AbortMultipartUpload": func() error {
			_, err := e.AbortMultipartUpload(ctx, &engine.AbortMultipartUploadRequest{Bucket: "bucket", Key: "key", UploadID: id})
			return err
		},
		"GetObject": func() error {
			_, err := e.GetObject(ctx, &engine.GetObjectRequest{Bucket: "bucket", Key: "key"})
			return err
		},
		"PutObject": func() error {
			_, err := e.PutObject(ctx, &engine.PutObjectRequest{Bucket: "bucket", Key: "put"})
			return err
		},
		"CopyObject": func() error {
			_, err := e.CopyObject(ctx, &engine.CopyObjectRequest{Bucket: "bucket", Key: "copy", SourceBucket: "bucket", SourceKey: "key"})
			return err
		},
		"Open": func() error { _, err := engine.Open(ctx, t.TempDir(), nil); return err },
	} {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want context.Canceled", name, err)
		}
	}
	if after := tallyOf(t, e); after != before {
		t.Errorf("the store holds %+v, held %+v before", after, before)
	}
}

// TestCauseOfEnd ends calls midway with a cause of the caller's own: it is still a call that was
// ended.
func TestCauseOfEnd(t *testing.T) {
	e := openTemp(t, nil)
	mustBucket(t, e, "bucket")
	for name, call := range map[string]func(ctx context.Context, body io.Reader) error{
		"PutObject": func(ctx context.Context, body io.Reader) error {
			_, err := e.PutObject(ctx, &engine.PutObjectRequest{Bucket: "bucket", Key: "key", Body: body})
			return err
		},
		"Upload": func(ctx context.Context, body io.Reader) error {
			_, err := e.Upload(ctx, &engine.UploadRequest{Bucket: "bucket", Key: "key", Body: body})
			return err
		},
	} {
		ctx, cancel := context.WithCancelCause(context.Background())
		cause := errors.New("the client has gone")
		body := stalling(t, random(1, 100))
		go func() {
			<-body.stalled
			cancel(cause)
		}()
		if err := call(ctx, body); !errors.Is(err, engine.ErrRequestTimeout) || !errors.Is(err, cause) || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
		body.goOn()
	}
}

// TestHugeBody sends a body of one byte more than 5 GiB. It takes half a minute.
func TestHugeBody(t *testing.T) {
	if os.Getenv("GABION_HUGE") == "" {
		t.Skip("set GABION_HUGE to run it")
	}
	e := openTemp(t, nil)
	id := mustInitiate(t, e, "bucket", "key", "")
	zeros := readerFunc(func(p []byte) (int, error) { clear(p); return len(p), nil })
	for limit, want := range map[int64]error{engine.MaxPartSize: nil, 1 << 60: engine.ErrEntityTooLarge} {
		body := &io.LimitedReader{R: zeros, N: limit}
		got, err := e.UploadPart(context.Background(), &engine.UploadPartRequest{Bucket: "bucket", Key: "key", UploadID: id, PartNumber: 1, Body: body})
		if want == nil && (err != nil || got.Size != limit) || want != nil && !errors.Is(err, want) {
			t.Errorf("a body of %d bytes: %+v, %v", limit, got, err)
		}
		if read := limit - body.N; read > engine.MaxPartSize+1 {
			t.Errorf("%d bytes were read", read)
		}
	}
}
