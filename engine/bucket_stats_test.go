package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// viewedIndex calls a function before each View and each Get.
type viewedIndex struct {
	*index.Memory
	before func()
}

func (v *viewedIndex) View(ctx context.Context, fn func(index.Reader) error) error {
	if v.before != nil {
		v.before()
	}
	return v.Memory.View(ctx, fn)
}

func (v *viewedIndex) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	return index.GetByView(ctx, v.View, keys)
}

// TestBucketStatsInSteps counts more objects than it looks at in one snapshot, each once, and stops
// when the bucket is not there any more.
func TestBucketStatsInSteps(t *testing.T) {
	const objects = 2*4096 + 1
	idx := &viewedIndex{Memory: index.NewMemory()}
	e, err := engine.OpenStores(t.Context(), idx, blob.NewMemory(0), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	mustBucket(t, e, "bucket")
	for first := 0; first < objects; first += 1000 {
		put(t, idx, func(tx index.Tx) error {
			for n := first; n < min(first+1000, objects); n++ {
				if err := index.Put(tx, index.ObjectKey("bucket", fmt.Sprintf("%05d", n)), &index.Object{Size: 1}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	views := 0
	idx.before = func() { views++ }
	res, err := e.BucketStats(t.Context(), &engine.BucketStatsRequest{Bucket: "bucket"})
	if err != nil || res.Objects != objects || res.LogicalBytes != objects || res.Uploads != 0 || views < 4 {
		t.Errorf("BucketStats: %+v, %v, by %d snapshots", res, err, views)
	}
	idx.before = func() {
		if views--; views == 2 {
			changeBucket(t, idx, func(b *index.Bucket) { b.Generation[0] ^= 1 })
		}
	}
	if _, err := e.BucketStats(t.Context(), &engine.BucketStatsRequest{Bucket: "bucket"}); !errors.Is(err, engine.ErrNoSuchBucket) {
		t.Errorf("BucketStats of a bucket that was replaced meanwhile: %v", err)
	}
}

// TestStatsOfTooMuch counts copies that have more than math.MaxInt64 bytes together, and deletes some.
func TestStatsOfTooMuch(t *testing.T) {
	e, idx := memoryStore(t, nil)
	mustBucket(t, e, "bucket")
	put(t, idx, func(tx index.Tx) error {
		return index.Put(tx, index.TotalsKey(), &index.Totals{LogicalBytes: math.MaxInt64 - 10})
	})
	mustPut(t, e, engine.PutObjectRequest{Bucket: "bucket", Key: "key", Body: strings.NewReader("eleven more")})
	if got := stats(t, e).LogicalBytes; got != math.MaxInt64 {
		t.Errorf("Stats: one byte too much is %d", got)
	}
	mustDelete(t, e, "bucket", "key")
	if got := stats(t, e).LogicalBytes; got != math.MaxInt64-10 {
		t.Errorf("Stats: deleted, there are %d bytes left", got)
	}
	for n := range 3 {
		put(t, idx, func(tx index.Tx) error {
			return index.Put(tx, index.ObjectKey("bucket", fmt.Sprint(n)), &index.Object{Size: 1 << 62, Attributes: index.Attributes{StorageClass: "Standard"}})
		})
	}
	res, err := e.BucketStats(t.Context(), &engine.BucketStatsRequest{Bucket: "bucket"})
	if err != nil || res.LogicalBytes != math.MaxInt64 || res.Classes["Standard"].LogicalBytes != math.MaxInt64 {
		t.Errorf("BucketStats: %+v, %v", res, err)
	}
}
