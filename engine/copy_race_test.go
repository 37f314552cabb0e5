package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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

// changingIndex runs a function before every Update whose context has a value of its own.
type changingIndex struct {
	*index.Memory
	change func()
}

type changing struct{} // the key of that value

func (c *changingIndex) Update(ctx context.Context, fn func(index.Tx) error) error {
	if ctx.Value(changing{}) != nil {
		c.change()
	}
	return c.Memory.Update(ctx, fn)
}

// TestCopyOfWhatChanges copies by reference what is changed each time before the copy is committed,
// a few times and without end. Whatever changes, the one is a copy of what it was at last, and the
// other ends with an error to try again after, and has copied nothing.
func TestCopyOfWhatChanges(t *testing.T) {
	const endless = 1000 // changes, after which the source stays as it is
	ctx := t.Context()
	body := func(n int) []byte { return fmt.Appendf(nil, "body %d", n) }
	for name, test := range map[string]struct {
		key    string // of the copy
		change func(e *engine.Engine, n int)
		holds  func(n int) []byte // what the copy has after n changes
	}{
		"its content": {
			"copy", func(e *engine.Engine, n int) {
				mustPut(t, e, engine.PutObjectRequest{Key: "source", Body: bytes.NewReader(body(n))})
			}, body,
		},
		"its content, onto itself": {
			"source", func(e *engine.Engine, n int) {
				mustPut(t, e, engine.PutObjectRequest{Key: "source", Body: bytes.NewReader(body(n))})
			}, body,
		},
		"its tags": {
			"copy", func(e *engine.Engine, n int) {
				_, err := e.PutObjectTagging(ctx, &engine.PutObjectTaggingRequest{Bucket: "bucket", Key: "source", Tags: map[string]string{"n": fmt.Sprint(n)}})
				if err != nil {
					t.Error(err)
				}
			}, func(int) []byte { return body(0) },
		},
	} {
		for _, times := range []int{3, endless} {
			t.Run(fmt.Sprint(name, times), func(t *testing.T) {
				idx := &changingIndex{Memory: index.NewMemory()}
				e, err := engine.OpenStores(ctx, idx, blob.NewMemory(1<<20), nil)
				if err != nil {
					t.Fatal(err)
				}
				mustBucket(t, e, "bucket")
				mustPut(t, e, engine.PutObjectRequest{Key: "source", Body: bytes.NewReader(body(0))})
				n := 0
				idx.change = func() {
					if n < times {
						n++
						test.change(e, n)
					}
				}
				_, err = e.CopyObject(context.WithValue(ctx, changing{}, true), &engine.CopyObjectRequest{
					Bucket: "bucket", Key: test.key, SourceBucket: "bucket", SourceKey: "source", MetadataDirective: engine.DirectiveReplace,
				})
				if times < endless {
					if err != nil || n != times {
						t.Fatalf("%v after %d changes", err, n)
					}
					if got := readAll(t, e, "bucket", test.key); !bytes.Equal(got, test.holds(n)) {
						t.Errorf("the copy holds %q", got)
					}
				} else if !errors.Is(err, engine.ErrUnavailable) || n >= endless {
					t.Errorf("%v after %d changes, want ErrUnavailable before", err, n)
				} else if got := readAll(t, e, "bucket", "source"); !bytes.Equal(got, test.holds(n)) {
					t.Errorf("the source holds %q", got)
				} else if list, err := e.ListObjects(ctx, &engine.ListObjectsRequest{Bucket: "bucket"}); err != nil || len(list.Objects) != 1 {
					t.Errorf("%+v, %v: want the source alone", list, err)
				}
				checkStore(t, e)
				if err := e.Close(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}
