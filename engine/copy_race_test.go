package engine_test

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// hookedIndex runs a function before its next Update.
type hookedIndex struct {
	*index.Memory
	before atomic.Pointer[func()]
}

func (h *hookedIndex) Update(ctx context.Context, fn func(index.Tx) error) error {
	if before := h.before.Swap(nil); before != nil {
		(*before)()
	}
	return h.Memory.Update(ctx, fn)
}

// TestCopyMeanwhile changes the source of a copy just before the copy is committed. What comes of
// it is as if the copy had been before or after that, and what it refers to stays.
func TestCopyMeanwhile(t *testing.T) {
	ctx := context.Background()
	old, changed := random(1, 100_000), random(2, 100_000)
	copyTo := func(key, sse string) func(e *engine.Engine, arm func()) error {
		return func(e *engine.Engine, arm func()) error {
			arm()
			_, err := e.CopyObject(ctx, &engine.CopyObjectRequest{Bucket: "bucket", Key: key, SourceBucket: "bucket", SourceKey: "source", EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm(sse)}})
			return err
		}
	}
	copyPart := func(e *engine.Engine, arm func()) error {
		up, err := e.InitiateMultipartUpload(ctx, &engine.InitiateMultipartUploadRequest{Bucket: "bucket", Key: "copy"})
		if err != nil {
			return err
		}
		arm()
		_, err = e.UploadPartCopy(ctx, &engine.UploadPartCopyRequest{
			Bucket: "bucket", Key: "copy", UploadID: up.UploadID, PartNumber: 1, SourceBucket: "bucket", SourceKey: "source",
		})
		if err == nil {
			mustComplete(t, e, "bucket", "copy", up.UploadID)
		}
		return err
	}
	for name, test := range map[string]struct {
		call    func(e *engine.Engine, arm func()) error
		deleted bool // the source, instead of overwritten
		want    error
		key     string // that then holds
		holds   []byte
	}{
		"by reference":                         {copyTo("copy", ""), false, nil, "copy", changed},
		"by reference, source deleted":         {copyTo("copy", ""), true, engine.ErrNoSuchKey, "", nil},
		"onto itself":                          {copyTo("source", ""), false, nil, "source", changed},
		"onto itself, deleted":                 {copyTo("source", ""), true, engine.ErrNoSuchKey, "", nil},
		"byte by byte":                         {copyTo("copy", "AES256"), false, nil, "copy", old},
		"byte by byte, source deleted":         {copyTo("copy", "AES256"), true, nil, "copy", old},
		"byte by byte onto itself":             {copyTo("source", "AES256"), false, engine.ErrPreconditionFailed, "source", changed},
		"byte by byte onto itself, deleted":    {copyTo("source", "AES256"), true, engine.ErrNoSuchKey, "", nil},
		"part by reference":                    {copyPart, false, nil, "copy", old},
		"part by reference of what is deleted": {copyPart, true, nil, "copy", old},
	} {
		t.Run(name, func(t *testing.T) {
			idx := &hookedIndex{Memory: index.NewMemory()}
			e, err := engine.OpenStores(t.Context(), idx, blob.NewMemory(1<<20), &engine.Options{Keys: keys(t), ChunkSize: 16 << 10})
			if err != nil {
				t.Fatal(err)
			}
			mustBucket(t, e, "bucket")
			mustPut(t, e, engine.PutObjectRequest{Key: "source", Body: bytes.NewReader(old)})
			mustReclaim(t, e) // the background is at rest: the next Update is the call's
			change := func() {
				if test.deleted {
					mustDelete(t, e, "bucket", "source")
				} else {
					mustPut(t, e, engine.PutObjectRequest{Key: "source", Body: bytes.NewReader(changed)})
				}
				mustReclaim(t, e)
			}
			arm := func() { idx.before.Store(&change) }
			if err := test.call(e, arm); !errors.Is(err, test.want) {
				t.Errorf("%v, want %v", err, test.want)
			}
			mustReclaim(t, e)
			if test.key != "" && !bytes.Equal(readAll(t, e, "bucket", test.key), test.holds) {
				t.Errorf("%s holds something else", test.key)
			}
			checkStore(t, e)
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
