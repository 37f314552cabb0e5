package engine_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/engine"
)

func TestHeadBucket(t *testing.T) {
	ctx := context.Background()
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	e := openTemp(t, &engine.Options{Clock: func() time.Time { return now }})
	mustBucket(t, e, "bucket")
	now = now.Add(time.Hour)
	mustObject(t, e, "bucket", "key", "")
	mustBucket(t, e, "bucket-2")
	want := engine.Bucket{Name: "bucket", Created: now.Add(-time.Hour), Rules: engine.OSS, DedupScope: engine.DedupStore, StorageClass: engine.StorageStandard}
	got, err := e.HeadBucket(ctx, &engine.HeadBucketRequest{Bucket: "bucket"})
	if err != nil || !reflect.DeepEqual(*got, want) {
		t.Errorf("HeadBucket: %+v, %v, want %+v", got, err, want)
	}
	if _, err := e.DeleteBucket(ctx, &engine.DeleteBucketRequest{Bucket: "bucket-2"}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]error{
		"absent": engine.ErrNoSuchBucket, "bucket-2": engine.ErrNoSuchBucket, "Bucket": engine.ErrInvalidBucketName,
	} {
		_, err := e.HeadBucket(ctx, &engine.HeadBucketRequest{Bucket: name})
		if got := asError(t, err); !errors.Is(err, want) || got.Op != "HeadBucket" || got.Bucket != name {
			t.Errorf("HeadBucket of %s: %v, want %v", name, err, want)
		}
	}
}
