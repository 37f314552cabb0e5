package engine_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/engine"
)

// TestClockJumps has a clock that jumps by years, both ways, between any two looks at it. Whatever
// is dated by it, everything goes on: ids ascend, an answer that is repeated is the answer or is
// gone, what expires can be expired, and the store is sound.
func TestClockJumps(t *testing.T) {
	const year = 365 * 24 * time.Hour
	seed := seed(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	jump := func() time.Time {
		switch rng.IntN(4) {
		case 0:
			return start
		case 1:
			return start.Add(time.Duration(rng.Int64N(int64(2 * time.Hour))))
		default:
			return start.Add(time.Duration(rng.Int64N(int64(40*year))) - 20*year)
		}
	}
	times := make(chan time.Time) // the clock is asked from several goroutines, the generator is not safe for that
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) }) // after the store is closed
	go func() {
		for {
			select {
			case times <- jump():
			case <-stop:
				return
			}
		}
	}()
	e, _ := memoryStore(t, &engine.Options{Rules: engine.S3, UploadExpiry: time.Hour, Clock: func() time.Time { return <-times }})
	ctx, last := t.Context(), ""
	mustBucket(t, e, "bucket")
	for range 200 {
		id := mustInitiate(t, e, "bucket", "key", "")
		if id <= last {
			t.Fatalf("upload %s follows %s", id, last)
		}
		last = id
		part, err := e.UploadPart(ctx, &engine.UploadPartRequest{Bucket: "bucket", Key: "key", UploadID: id, PartNumber: 1, Body: strings.NewReader("content")})
		if errors.Is(err, engine.ErrNoSuchUpload) { // expired by the background
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		req := &engine.CompleteMultipartUploadRequest{Bucket: "bucket", Key: "key", UploadID: id, Parts: []engine.CompletedPart{{PartNumber: 1, ETag: part.ETag}}}
		for range 3 {
			if _, err := e.CompleteMultipartUpload(ctx, req); err != nil && !errors.Is(err, engine.ErrNoSuchUpload) {
				t.Fatal(err)
			}
		}
		if _, err := e.Expire(ctx, nil); err != nil {
			t.Fatal(err)
		}
		mustInitiate(t, e, "bucket", "key", "") // stays open
		last = mustInitiate(t, e, "bucket", "other", "")
		_, err = e.GetObject(ctx, &engine.GetObjectRequest{Bucket: "bucket", Key: "absent", Conditions: engine.Conditions{IfModifiedSince: start}})
		if !errors.Is(err, engine.ErrNoSuchKey) {
			t.Fatal(err)
		}
	}
	checkStore(t, e)
	if _, err := e.Expire(ctx, &engine.ExpireRequest{Before: start.Add(100 * year)}); err != nil {
		t.Fatal(err)
	}
	if n := stats(t, e).Uploads; n != 0 {
		t.Errorf("%d uploads do not expire", n)
	}
	mustDelete(t, e, "bucket", "key")
	if _, err := e.DeleteBucket(ctx, &engine.DeleteBucketRequest{Bucket: "bucket"}); err != nil {
		t.Error(err)
	}
	checkStore(t, e)
}
