package engine_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
)

// held is how many records, living or dead, updates may pass for one call: more than any call needs
// that is cheap, and fewer than there are in these tests.
const held = 100

// newBuried is an engine whose bucket has had many objects, of which only "zzz" is left.
func newBuried(t *testing.T, objects int) (*engine.Engine, *buryingIndex) {
	t.Helper()
	idx := newBuryingIndex()
	e := openStores(t, idx, blob.NewMemory(0), nil)
	mustBucket(t, e, "bucket")
	req := &engine.DeleteObjectsRequest{Bucket: "bucket", Quiet: true}
	for n := range objects {
		key := fmt.Sprintf("%06d", n)
		mustPut(t, e, engine.PutObjectRequest{Bucket: "bucket", Key: key, Body: strings.NewReader("small")})
		req.Keys = append(req.Keys, key)
	}
	if _, err := e.DeleteObjects(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	mustPut(t, e, engine.PutObjectRequest{Bucket: "bucket", Key: "zzz", Body: strings.NewReader("small")})
	mustReclaim(t, e)
	return e, idx
}

// TestDeleteBucketPassesTheDeletedOutside deletes a bucket that has had many objects, while it has
// one still and when it has none, again and again: all other writers would wait for an update that
// passed what a database keeps of deleted records.
func TestDeleteBucketPassesTheDeletedOutside(t *testing.T) {
	e, idx := newBuried(t, 1000)
	_, _, _ = idx.did()
	passed := idx.heldBy(func() {
		_, err := e.DeleteBucket(t.Context(), &engine.DeleteBucketRequest{Bucket: "bucket"})
		if !errors.Is(err, engine.ErrBucketNotEmpty) {
			t.Errorf("DeleteBucket with an object: %v", err)
		}
	})
	if _, _, updates := idx.did(); updates != 0 || passed != 0 {
		t.Errorf("ErrBucketNotEmpty took %d updates, which passed %d records", updates, passed)
	}
	mustDelete(t, e, "bucket", "zzz")
	mustReclaim(t, e)
	for range 3 {
		passed := idx.heldBy(func() {
			if _, err := e.DeleteBucket(t.Context(), &engine.DeleteBucketRequest{Bucket: "bucket"}); err != nil {
				t.Fatal(err)
			}
			mustBucket(t, e, "bucket")
		})
		if passed > held {
			t.Errorf("updates have passed %d records, want at most %d", passed, held)
		}
	}
}

// TestDeleteBucketPassesUploadsOnce aborts many uploads, in many updates: each of them must go on
// where the one before has stopped, not pass what that has deleted.
func TestDeleteBucketPassesUploadsOnce(t *testing.T) {
	idx := newBuryingIndex()
	e := openStores(t, idx, blob.NewMemory(0), &engine.Options{Rules: engine.S3})
	engine.StopSweeper(e)
	mustBucket(t, e, "bucket")
	const uploads = 2500
	for n := range uploads {
		_, err := e.InitiateMultipartUpload(t.Context(), &engine.InitiateMultipartUploadRequest{Bucket: "bucket", Key: fmt.Sprintf("%06d", n%100)})
		if err != nil {
			t.Fatal(err)
		}
	}
	_, _, _ = idx.did()
	inUpdates := idx.heldBy(func() {
		if _, err := e.DeleteBucket(t.Context(), &engine.DeleteBucketRequest{Bucket: "bucket"}); err != nil {
			t.Fatal(err)
		}
	})
	passed, _, updates := idx.did()
	if inUpdates > held || passed > 3*uploads || updates < uploads/100 || updates > uploads/50 {
		t.Errorf("%d uploads took %d updates, which passed %d records, and %d in all", uploads, updates, inUpdates, passed)
	}
	if n := stats(t, e).Uploads; n != 0 {
		t.Errorf("%d uploads are left", n)
	}
}
