package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// replaceBucket empties "bucket", deletes it and makes another one of that name.
func replaceBucket(t *testing.T, e *engine.Engine, rules engine.Rules) {
	t.Helper()
	ctx := context.Background()
	for up, err := range e.Uploads(ctx, &engine.ListMultipartUploadsRequest{Bucket: "bucket"}) {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.AbortMultipartUpload(ctx, &engine.AbortMultipartUploadRequest{Bucket: "bucket", Key: up.Key, UploadID: up.UploadID}); err != nil {
			t.Fatalf("Abort of %q: %v", up.Key, err)
		}
	}
	for obj, err := range e.Objects(ctx, &engine.ListObjectsRequest{Bucket: "bucket"}) {
		if err != nil {
			t.Fatal(err)
		}
		mustDelete(t, e, "bucket", obj.Key)
	}
	if _, err := e.DeleteBucket(ctx, &engine.DeleteBucketRequest{Bucket: "bucket"}); err != nil {
		t.Fatalf("DeleteBucket: %v", err)
	}
	if _, err := e.CreateBucket(ctx, &engine.CreateBucketRequest{Bucket: "bucket", Rules: rules}); err != nil {
		t.Fatalf("CreateBucket: %v", err)
	}
}

// TestBucketReplaced replaces the bucket of a call just before the call commits. It was in the
// bucket that is gone, so nothing of it may turn up in the new one, whose rules it was not judged
// by.
func TestBucketReplaced(t *testing.T) {
	ctx := context.Background()
	const key = "/not a name in OSS"
	for name, test := range map[string]struct {
		call func(e *engine.Engine, id string) error
		want error
	}{
		"PutObject": {func(e *engine.Engine, _ string) error {
			_, err := e.PutObject(ctx, &engine.PutObjectRequest{Bucket: "bucket", Key: key, Body: strings.NewReader("content")})
			return err
		}, engine.ErrNoSuchBucket},
		"InitiateMultipartUpload": {func(e *engine.Engine, _ string) error {
			_, err := e.InitiateMultipartUpload(ctx, &engine.InitiateMultipartUploadRequest{Bucket: "bucket", Key: key})
			return err
		}, engine.ErrNoSuchBucket},
		"Upload": {func(e *engine.Engine, _ string) error {
			_, err := e.Upload(ctx, &engine.UploadRequest{Bucket: "bucket", Key: key, Body: strings.NewReader("content")})
			return err
		}, engine.ErrNoSuchBucket},
		"CopyObject by reference": {func(e *engine.Engine, _ string) error {
			_, err := e.CopyObject(ctx, &engine.CopyObjectRequest{Bucket: "bucket", Key: key, SourceBucket: "source-bucket", SourceKey: "source"})
			return err
		}, engine.ErrNoSuchBucket},
		"CopyObject byte by byte": {func(e *engine.Engine, _ string) error {
			_, err := e.CopyObject(ctx, &engine.CopyObjectRequest{
				Bucket: "bucket", Key: key, SourceBucket: "source-bucket", SourceKey: "source", EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "AES256"},
			})
			return err
		}, engine.ErrNoSuchBucket},
		"UploadPart": {func(e *engine.Engine, id string) error {
			_, err := e.UploadPart(ctx, &engine.UploadPartRequest{Bucket: "bucket", Key: key, UploadID: id, PartNumber: 2, Body: strings.NewReader("content")})
			return err
		}, engine.ErrNoSuchUpload},
		"UploadPartCopy": {func(e *engine.Engine, id string) error {
			_, err := e.UploadPartCopy(ctx, &engine.UploadPartCopyRequest{
				Bucket: "bucket", Key: key, UploadID: id, PartNumber: 2, SourceBucket: "source-bucket", SourceKey: "source",
			})
			return err
		}, engine.ErrNoSuchUpload},
		"CompleteMultipartUpload": {func(e *engine.Engine, id string) error {
			_, err := e.CompleteMultipartUpload(ctx, &engine.CompleteMultipartUploadRequest{Bucket: "bucket", Key: key, UploadID: id, All: true})
			return err
		}, engine.ErrNoSuchUpload},
	} {
		for _, rules := range []engine.Rules{engine.OSS, engine.S3} {
			t.Run(name+" to "+string(rules), func(t *testing.T) {
				idx := &hookedIndex{Memory: index.NewMemory()}
				e, err := engine.OpenStores(t.Context(), idx, blob.NewMemory(0), &engine.Options{Rules: engine.S3, Keys: keys(t)})
				if err != nil {
					t.Fatal(err)
				}
				defer e.Close()
				mustBucket(t, e, "source-bucket")
				mustPut(t, e, engine.PutObjectRequest{Bucket: "source-bucket", Key: "source", Body: strings.NewReader("content")})
				id := mustInitiate(t, e, "bucket", key, "")
				mustPart(t, e, "bucket", key, id, 1, []byte("content"))
				replace := func() { replaceBucket(t, e, rules) }
				idx.before.Store(&replace)
				err = test.call(e, id)
				// Under the new rules the key may be no name at all, so that there is no such
				// upload either.
				if !errors.Is(err, test.want) && !(rules == engine.OSS && errors.Is(err, engine.ErrInvalidObjectName) && test.want == engine.ErrNoSuchUpload) {
					t.Errorf("%s fails with %v, want %v", name, err, test.want)
				}
				if _, err := e.DeleteBucket(ctx, &engine.DeleteBucketRequest{Bucket: "bucket"}); err != nil {
					t.Errorf("the new bucket is not empty: %v", err)
				}
				checkStore(t, e)
			})
		}
	}
}

// TestCompletedInAnEarlierBucket repeats a Complete when there is another bucket of the name.
func TestCompletedInAnEarlierBucket(t *testing.T) {
	for _, rules := range []engine.Rules{engine.S3, engine.OSS} {
		e, _ := memoryStore(t, &engine.Options{Rules: engine.S3})
		id := mustInitiate(t, e, "bucket", "key", "")
		mustPart(t, e, "bucket", "key", id, 1, []byte("content"))
		req := &engine.CompleteMultipartUploadRequest{Bucket: "bucket", Key: "key", UploadID: id, All: true}
		for range 2 {
			if _, err := e.CompleteMultipartUpload(t.Context(), req); err != nil {
				t.Fatal(err)
			}
		}
		replaceBucket(t, e, rules)
		if res, err := e.CompleteMultipartUpload(t.Context(), req); !errors.Is(err, engine.ErrNoSuchUpload) {
			t.Errorf("Complete of an earlier bucket's upload: %+v, %v, want NoSuchUpload", res, err)
		}
		if _, err := e.DeleteBucket(t.Context(), &engine.DeleteBucketRequest{Bucket: "bucket"}); err != nil {
			t.Fatal(err)
		}
		if res, err := e.CompleteMultipartUpload(t.Context(), req); !errors.Is(err, engine.ErrNoSuchBucket) {
			t.Errorf("Complete without a bucket: %+v, %v, want NoSuchBucket", res, err)
		}
	}
}

// changeBucket changes the record of "bucket", as no call does.
func changeBucket(t *testing.T, idx index.Store, change func(*index.Bucket)) {
	t.Helper()
	err := idx.Update(context.Background(), func(tx index.Tx) error {
		rec, err := index.Get(tx, index.BucketKey("bucket"))
		if err != nil {
			return err
		}
		change(&rec)
		return index.Put(tx, index.BucketKey("bucket"), &rec)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestIllegalNamesGo deletes what a store may hold under names that the bucket's rules do not
// allow.
func TestIllegalNamesGo(t *testing.T) {
	ctx := t.Context()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	e, idx := memoryStore(t, &engine.Options{Rules: engine.S3, Clock: func() time.Time { return now }})
	mustBucket(t, e, "bucket")
	names := []string{"/one", "/two", "\\three", strings.Repeat("k", 1024)}
	ids := make([]string, len(names))
	for i, name := range names {
		mustPut(t, e, engine.PutObjectRequest{Key: name, Body: strings.NewReader("content")})
		ids[i] = mustInitiate(t, e, "bucket", name, "")
		mustPart(t, e, "bucket", name, ids[i], 1, []byte("content"))
	}
	changeBucket(t, idx, func(b *index.Bucket) { b.Rules = "OSS" })

	if _, err := e.CompleteMultipartUpload(ctx, &engine.CompleteMultipartUploadRequest{Bucket: "bucket", Key: names[0], UploadID: ids[0], All: true}); !errors.Is(err, engine.ErrInvalidObjectName) {
		t.Errorf("Complete of an upload of an illegal name: %v", err)
	}
	mustDelete(t, e, "bucket", names[0])
	if _, err := e.DeleteObject(ctx, &engine.DeleteObjectRequest{Bucket: "bucket", Key: names[0]}); !errors.Is(err, engine.ErrInvalidObjectName) {
		t.Errorf("DeleteObject of an illegal name that is not there: %v", err)
	}
	res, err := e.DeleteObjects(ctx, &engine.DeleteObjectsRequest{Bucket: "bucket", Keys: names})
	if err != nil || len(res.Errors) != 1 || len(res.Deleted) != len(names)-1 {
		t.Errorf("DeleteObjects: %+v, %v", res, err)
	}
	for i, name := range names[:2] {
		if _, err := e.AbortMultipartUpload(ctx, &engine.AbortMultipartUploadRequest{Bucket: "bucket", Key: name, UploadID: ids[i]}); err != nil {
			t.Errorf("Abort of an upload of an illegal name: %v", err)
		}
	}
	if res, err := e.Expire(ctx, &engine.ExpireRequest{Before: now.Add(time.Second)}); err != nil || res.Uploads != int64(len(names)-2) {
		t.Errorf("Expire of uploads of illegal names: %+v, %v", res, err)
	}
	if _, err := e.DeleteBucket(ctx, &engine.DeleteBucketRequest{Bucket: "bucket"}); err != nil {
		t.Errorf("DeleteBucket: %v", err)
	}
	checkStore(t, e)
}

// TestUploadsOfAnEarlierBucket has uploads under a bucket that they do not belong to: nobody can
// use them, anybody can end them, and they do not keep the bucket.
func TestUploadsOfAnEarlierBucket(t *testing.T) {
	const uploads = 250 // more than one transaction gives up
	ctx := t.Context()
	e, idx := memoryStore(t, nil)
	var ids []string
	for range uploads {
		ids = append(ids, mustInitiate(t, e, "bucket", "key", ""))
	}
	mustPart(t, e, "bucket", "key", ids[0], 1, []byte("content"))
	changeBucket(t, idx, func(b *index.Bucket) { b.Generation[0] ^= 1 })

	_, err1 := e.ListParts(ctx, &engine.ListPartsRequest{Bucket: "bucket", Key: "key", UploadID: ids[0]})
	_, err2 := e.UploadPart(ctx, &engine.UploadPartRequest{Bucket: "bucket", Key: "key", UploadID: ids[0], PartNumber: 1})
	_, err3 := e.CompleteMultipartUpload(ctx, &engine.CompleteMultipartUploadRequest{Bucket: "bucket", Key: "key", UploadID: ids[0], All: true})
	for i, err := range []error{err1, err2, err3} {
		if !errors.Is(err, engine.ErrNoSuchUpload) {
			t.Errorf("call %d with an upload of an earlier bucket: %v, want NoSuchUpload", i+1, err)
		}
	}
	if _, err := e.AbortMultipartUpload(ctx, &engine.AbortMultipartUploadRequest{Bucket: "bucket", Key: "key", UploadID: ids[1]}); err != nil {
		t.Errorf("Abort of an upload of an earlier bucket: %v", err)
	}
	own := mustInitiate(t, e, "bucket", "key", "")
	if _, err := e.DeleteBucket(ctx, &engine.DeleteBucketRequest{Bucket: "bucket"}); !errors.Is(err, engine.ErrBucketNotEmpty) {
		t.Errorf("DeleteBucket with an upload of its own: %v", err)
	}
	if _, err := e.AbortMultipartUpload(ctx, &engine.AbortMultipartUploadRequest{Bucket: "bucket", Key: "key", UploadID: own}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.DeleteBucket(ctx, &engine.DeleteBucketRequest{Bucket: "bucket"}); err != nil {
		t.Errorf("DeleteBucket with uploads of an earlier bucket: %v", err)
	}
	checkStore(t, e)
	if n := stats(t, e).Uploads; n != 0 {
		t.Errorf("%d uploads are left", n)
	}
}
