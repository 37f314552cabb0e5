package engine_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/gabion-storage/gabion/engine"
)

// A brokenUpload is a body of four parts, an upload that failed at the last of them, and a clock
// that tells which parts were stored when.
type brokenUpload struct {
	e     *engine.Engine
	clock atomic.Int64 // seconds
	data  []byte
	req   engine.UploadRequest // that resumes it
}

func breakUpload(t *testing.T, sse string) *brokenUpload {
	b := &brokenUpload{data: random(1, 3*minPart+5)}
	b.e = openTemp(t, &engine.Options{
		ChunkSize: managedChunk, Keys: keys(t), Clock: func() time.Time { return time.Unix(b.clock.Load(), 0) },
	})
	mustBucket(t, b.e, "bucket")
	b.req = engine.UploadRequest{
		Bucket: "bucket", Key: "key", Size: int64(len(b.data)), PartSize: minPart, Parallel: 1, KeepParts: true,
		EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm(sse)},
	}
	b.req.UploadID = b.fail(t, b.data)
	if got := b.parts(t); len(got) != 3 {
		t.Fatalf("the upload has parts %v", got)
	}
	b.clock.Add(1)
	return b
}

var errLast = errors.New("the last part fails")

// A lastFails is a body whose last byte cannot be read.
type lastFails struct{ *bytes.Reader }

func (r lastFails) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) >= r.Size() {
		return 0, errLast
	}
	return r.Reader.ReadAt(p, off)
}

// fail uploads data, all but its last part, and returns the upload's id.
func (b *brokenUpload) fail(t *testing.T, data []byte) string {
	t.Helper()
	req := b.req
	req.Body = lastFails{bytes.NewReader(data)}
	_, err := b.e.Upload(context.Background(), &req)
	if !errors.Is(err, errLast) || asError(t, err).PartNumber != 4 {
		t.Fatalf("error is %v", err)
	}
	return asError(t, err).UploadID
}

func (b *brokenUpload) parts(t *testing.T) []engine.Part {
	t.Helper()
	return partsOf(t, b.e, "bucket", "key", b.req.UploadID)
}

// resume completes the upload with this body.
func (b *brokenUpload) resume(t *testing.T, body io.Reader, want [][]byte) {
	t.Helper()
	req := b.req
	req.Body = body
	var told int64
	req.Progress = func(done int64) { told = done }
	res, err := b.e.Upload(context.Background(), &req)
	if err != nil {
		t.Fatal(err)
	}
	if told != res.Size {
		t.Errorf("Progress ends at %d of %d", told, res.Size)
	}
	checkObject(t, b.e, "key", want)
	if got := tallyOf(t, b.e); got.Uploads != 0 || got.Parts != int64(len(want)) {
		t.Errorf("the store holds %+v", got)
	}
}

// TestUploadResume goes on with an upload that failed at its last part. Parts that are there are
// not sent again.
func TestUploadResume(t *testing.T) {
	for _, sse := range []string{"", "AES256"} {
		b := breakUpload(t, sse)
		before := b.parts(t)
		if b.fail(t, b.data); same(b.parts(t), before) != nil {
			t.Errorf("the upload has parts %v, had %v", b.parts(t), before)
		}
		b.resume(t, bytes.NewReader(b.data), cut(b.data))
	}
}

// TestUploadResumeChanged resumes with a file that has been changed since, and with parts that are
// not what it would have sent.
func TestUploadResumeChanged(t *testing.T) {
	b := breakUpload(t, "")
	before := b.parts(t)
	changed := slices.Clone(b.data)
	changed[2*minPart-1] ^= 1
	b.fail(t, changed)
	for i, p := range b.parts(t) {
		again := i == 1
		if (p.ETag != before[i].ETag) != again || p.LastModified.Equal(before[i].LastModified) == again {
			t.Errorf("part %d is %v, was %v", i+1, p, before[i])
		}
	}
	mustPart(t, b.e, "bucket", "key", b.req.UploadID, 1, random(9, minPart+1)) // larger
	mustPart(t, b.e, "bucket", "key", b.req.UploadID, 3, random(9, 1))
	mustPart(t, b.e, "bucket", "key", b.req.UploadID, 9, random(9, minPart)) // behind the last
	b.resume(t, bytes.NewReader(changed), cut(changed))
}

// TestUploadResumeSize resumes with a file that has become shorter, and with one that has become
// longer than is said, when all parts are there.
func TestUploadResumeSize(t *testing.T) {
	b := breakUpload(t, "")
	mustPart(t, b.e, "bucket", "key", b.req.UploadID, 4, b.data[3*minPart:])
	for want, data := range map[error][]byte{
		engine.ErrIncompleteBody:  b.data[:len(b.data)-1],
		engine.ErrInvalidArgument: append(slices.Clone(b.data), 0),
	} {
		req := b.req
		req.Body = bytes.NewReader(data)
		if _, err := b.e.Upload(context.Background(), &req); !errors.Is(err, want) || asError(t, err).PartNumber != 4 {
			t.Errorf("%d bytes: %v", len(data), err)
		}
	}
	short := b.data[:minPart+1]
	b.req.Size = int64(len(short))
	b.resume(t, bytes.NewReader(short), cut(short))
}

// TestUploadResumeReader resumes with a body that can only be read once. All is sent again, and
// nothing stored twice.
func TestUploadResumeReader(t *testing.T) {
	for _, sse := range []string{"", "AES256"} {
		for _, size := range []int64{0, 3*minPart + 5} {
			b := breakUpload(t, sse)
			b.req.Size = size
			before := stats(t, b.e)
			b.resume(t, onlyReader{bytes.NewReader(b.data)}, cut(b.data))
			if after := stats(t, b.e); after.Chunks != before.Chunks+1 || after.DeadBytes > before.DeadBytes+100 {
				t.Errorf("the store holds %+v, held %+v", after, before)
			}
		}
	}
}

// TestUploadResumePartSize checks that without a PartSize that of part 1 goes on, if it can.
func TestUploadResumePartSize(t *testing.T) {
	for _, row := range []struct {
		first, whole int
		known        bool
		want         int
	}{
		{minPart, 3 * minPart, true, 3},
		{minPart, 3 * minPart, false, 3},
		{minPart, minPart, true, 1},
		{minPart + 3, 3 * minPart, true, 3},
		{minPart - 1, 3 * minPart, true, 1}, // too small for any but the last
		{minPart, minPart - 1, true, 1},
		{minPart, 0, false, 1},
	} {
		e := managedStore(t)
		data := random(1, row.whole)
		id := mustInitiate(t, e, "bucket", "key", "")
		mustPart(t, e, "bucket", "key", id, 1, random(1, row.first))
		req := &engine.UploadRequest{Bucket: "bucket", Key: "key", UploadID: id, Body: bytes.NewReader(data)}
		if row.known {
			req.Size = int64(row.whole)
		}
		if _, err := e.Upload(context.Background(), req); err != nil {
			t.Fatal(err)
		}
		if info := mustGet(t, e, "bucket", "key", ""); info.Parts != row.want || info.CRC64 != crc64Of(data) {
			t.Errorf("%+v: the object has %d parts", row, info.Parts)
		}
	}
}

// TestUploadResumeFails checks that a resumed upload that fails stays open with its parts, whether
// they are to be kept or not, also when it fails while it compares.
func TestUploadResumeFails(t *testing.T) {
	for name, body := range map[string]io.Reader{
		"comparing fails":  &flakyBody{data: bytes.NewReader(random(1, 3*minPart+5)), at: 2, err: errLast},
		"comparing panics": panickingAt{},
		"reading fails":    onlyReader{io.MultiReader(bytes.NewReader(random(1, minPart)), iotest.ErrReader(errLast))},
	} {
		b := breakUpload(t, "")
		before := b.parts(t)
		for _, keep := range []bool{true, false} {
			req := b.req
			req.KeepParts, req.Body = keep, body
			_, err := b.e.Upload(context.Background(), &req)
			if got := asError(t, err); got.Code != "IncompleteBody" || got.PartNumber == 0 || got.UploadID != req.UploadID {
				t.Errorf("%s: %+v", name, got)
			}
			if len(b.parts(t)) != len(before) {
				t.Errorf("%s: the upload has parts %v", name, b.parts(t))
			}
			if f, ok := body.(*flakyBody); ok {
				f.reads.Store(0)
			}
		}
		b.resume(t, bytes.NewReader(b.data), cut(b.data))
	}
}

// TestUploadResumeStalls ends the context while a part is compared that cannot be read.
func TestUploadResumeStalls(t *testing.T) {
	b := breakUpload(t, "")
	ctx, cancel := context.WithCancel(context.Background())
	let := make(chan struct{})
	t.Cleanup(func() { close(let) })
	req := b.req
	req.Body = blockingAt{func() { cancel(); <-let }}
	if _, err := b.e.Upload(ctx, &req); !errors.Is(err, context.Canceled) || !errors.Is(err, engine.ErrRequestTimeout) {
		t.Errorf("error is %v", err)
	}
	if got := b.parts(t); len(got) != 3 {
		t.Errorf("the upload has parts %v", got)
	}
}

// A blockingAt is a body that calls a function instead of being read.
type blockingAt struct{ call func() }

func (b blockingAt) Read([]byte) (int, error) { return 0, io.EOF }

func (b blockingAt) ReadAt([]byte, int64) (int, error) {
	b.call()
	return 0, io.ErrUnexpectedEOF
}
