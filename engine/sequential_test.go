package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/gabion-storage/gabion/engine"
)

func mustSequential(t *testing.T, e *engine.Engine, key, sse string) string {
	t.Helper()
	mustBucket(t, e, "bucket")
	up, err := e.InitiateMultipartUpload(context.Background(), &engine.InitiateMultipartUploadRequest{
		Bucket: "bucket", Key: key, Sequential: true, ServerSideEncryption: sse,
	})
	if err != nil {
		t.Fatal(err)
	}
	return up.UploadID
}

// TestSequential uploads parts in order, over a restart, and everything else but in order. The
// object has the MD5 of all.
func TestSequential(t *testing.T) {
	for _, sse := range []string{"", "AES256"} {
		t.Run(orElse(sse, "plain"), func(t *testing.T) { testSequential(t, sse) })
	}
}

func testSequential(t *testing.T, sse string) {
	dir, o := t.TempDir(), &engine.Options{ChunkSize: 16 << 10, Keys: keys(t)}
	e := open(t, dir, o)
	id := mustSequential(t, e, "key", sse)
	parts := [][]byte{random(1, minPart), random(2, minPart+1), random(3, minPart+63), random(4, 64)}
	upload := func(n int, body []byte) error {
		_, err := e.UploadPart(context.Background(), &engine.UploadPartRequest{Bucket: "bucket", Key: "key", UploadID: id, PartNumber: n, Body: bytes.NewReader(body)})
		return err
	}
	for i, body := range parts {
		for n, want := range map[int]error{i: engine.ErrPartAlreadyExist, i + 2: engine.ErrPartNotSequential, 10000: engine.ErrPartNotSequential} {
			if n == 0 {
				continue
			}
			if err := upload(n, body); !errors.Is(err, want) {
				t.Errorf("part %d after %d: %v, want %v", n, i, err, want)
			}
		}
		if i == 2 {
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			e = open(t, dir, o)
			// A copy counts like any other part.
			mustPut(t, e, engine.PutObjectRequest{Key: "source", Body: bytes.NewReader(body)})
			_, err := e.UploadPartCopy(context.Background(), &engine.UploadPartCopyRequest{
				Bucket: "bucket", Key: "key", UploadID: id, PartNumber: i + 1, SourceBucket: "bucket", SourceKey: "source",
			})
			if err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := upload(i+1, body); err != nil {
			t.Fatal(err)
		}
	}
	done := mustComplete(t, e, "bucket", "key", id)
	if done.ETag != ossETag(parts...) {
		t.Errorf("the object has ETag %s, want %s", done.ETag, ossETag(parts...))
	}
	whole := slices.Concat(parts...)
	mustCopy(t, e, engine.CopyObjectRequest{Key: "copy", SourceKey: "key", ServerSideEncryption: sse})
	for _, key := range []string{"key", "copy"} {
		if got := head(t, e, "bucket", key); got.ContentMD5 != base64MD5(whole) || got.Type != "Multipart" {
			t.Errorf("%s heads as %+v, want the MD5 of the whole", key, got)
		}
	}
}

// TestSequentialEnds has uploads of no part, and of parts that are not all listed.
func TestSequentialEnds(t *testing.T) {
	e := openTemp(t, nil)
	mustComplete(t, e, "bucket", "none", mustSequential(t, e, "none", ""))
	if got := head(t, e, "bucket", "none").ContentMD5; got != base64MD5(nil) {
		t.Errorf("the MD5 of nothing is %q", got)
	}
	id := mustSequential(t, e, "some", "")
	list := []engine.CompletedPart{}
	for n := 1; n <= 2; n++ {
		list = append(list, engine.CompletedPart{PartNumber: n, ETag: mustPart(t, e, "bucket", "some", id, n, random(uint64(n), minPart)).ETag})
	}
	mustComplete(t, e, "bucket", "some", id, list[0])
	if got := head(t, e, "bucket", "some").ContentMD5; got != "" {
		t.Errorf("the MD5 of some of the parts is %q, want none: it is not known", got)
	}
	mustObject(t, e, "bucket", "plain", "", []byte("content"))
	if got := head(t, e, "bucket", "plain").ContentMD5; got != "" {
		t.Errorf("the MD5 of an upload that is not sequential is %q", got)
	}
}

// TestSequentialRaces sends every part several times at once: one of each gets through, and the MD5
// is that of what the object holds.
func TestSequentialRaces(t *testing.T) {
	e := openTemp(t, &engine.Options{ChunkSize: 16 << 10})
	id := mustSequential(t, e, "key", "")
	for n := 1; n <= 8; n++ {
		errs := make(chan error)
		for i := range 4 {
			go func() {
				_, err := e.UploadPart(context.Background(), &engine.UploadPartRequest{
					Bucket: "bucket", Key: "key", UploadID: id, PartNumber: n, Body: bytes.NewReader(random(uint64(n*10+i), minPart)),
				})
				errs <- err
			}()
		}
		won := 0
		for range 4 {
			switch err := <-errs; {
			case err == nil:
				won++
			case !errors.Is(err, engine.ErrPartAlreadyExist):
				t.Error(err)
			}
		}
		if won != 1 {
			t.Errorf("%d parts of number %d got through", won, n)
		}
	}
	mustComplete(t, e, "bucket", "key", id)
	if got, want := head(t, e, "bucket", "key").ContentMD5, base64MD5(readAll(t, e, "bucket", "key")); got != want {
		t.Errorf("the MD5 is %s, that of the content %s", got, want)
	}
	if got := tallyOf(t, e); got.Parts != 8 {
		t.Errorf("the store holds %+v, want 8 parts: %s", got, fmt.Sprint(got))
	}
}
