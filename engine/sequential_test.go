package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

func mustSequential(t *testing.T, e *engine.Engine, key, sse string) string {
	t.Helper()
	mustBucket(t, e, "bucket")
	up, err := e.InitiateMultipartUpload(context.Background(), &engine.InitiateMultipartUploadRequest{
		Bucket: "bucket", Key: key, Sequential: true, EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm(sse)},
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
	mustCopy(t, e, engine.CopyObjectRequest{Key: "copy", SourceKey: "key", EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm(sse)}})
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

// TestSequentialState has the state of the digest of an encrypted upload replaced by an older one,
// by that of another upload, by one in the clear and by none. The next part notices; the parts
// before are as they were.
func TestSequentialState(t *testing.T) {
	e, idx := memoryStore(t, &engine.Options{Keys: keys(t), ChunkSize: 16 << 10})
	key := func(id string) index.Key[index.Upload] {
		content, _ := index.ParseContentID(id)
		return index.UploadKey("bucket", "key", content)
	}
	get := func(id string) (rec index.Upload) {
		t.Helper()
		err := idx.View(t.Context(), func(r index.Reader) (err error) {
			rec, err = index.Get(r, key(id))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return rec
	}
	put := func(id string, digest []byte) {
		t.Helper()
		rec := get(id)
		rec.Digest = digest
		if err := idx.Update(t.Context(), func(tx index.Tx) error { return index.Put(tx, key(id), &rec) }); err != nil {
			t.Fatal(err)
		}
	}
	id, other, plain := mustSequential(t, e, "key", "AES256"), mustSequential(t, e, "key", "AES256"), mustSequential(t, e, "key", "")
	bodies := [][]byte{random(1, minPart+1), random(2, minPart+2), random(3, 100)}
	var older []byte
	for n, body := range bodies[:2] {
		older = get(id).Digest
		for _, id := range []string{id, other, plain} {
			mustPart(t, e, "bucket", "key", id, n+1, body)
		}
	}
	good := get(id).Digest
	for name, digest := range map[string][]byte{
		"an older one": older, "another upload's": get(other).Digest, "one in the clear": get(plain).Digest, "none": nil,
		"a flipped bit": append([]byte{good[0] ^ 1}, good[1:]...),
	} {
		put(id, digest)
		_, err := e.UploadPart(t.Context(), &engine.UploadPartRequest{Bucket: "bucket", Key: "key", UploadID: id, PartNumber: 3, Body: bytes.NewReader(bodies[2])})
		if damage := new(engine.CorruptionError); !errors.As(err, &damage) {
			t.Errorf("%s: %v, want a *CorruptionError", name, err)
		}
	}
	put(id, good)
	mustPart(t, e, "bucket", "key", id, 3, bodies[2])
	mustComplete(t, e, "bucket", "key", id)
	if got, want := head(t, e, "bucket", "key").ContentMD5, base64MD5(slices.Concat(bodies...)); got != want {
		t.Errorf("the MD5 is %s, want %s", got, want)
	}
}
