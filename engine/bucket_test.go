package engine_test

import (
	"context"
	"errors"
	"iter"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/engine/internal/ledger"
	"github.com/gabion-storage/gabion/index"
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

// TestDeleteBucketInSteps gives up uploads of very many parts, a bounded number in a transaction: all
// other writers wait for each.
func TestDeleteBucketInSteps(t *testing.T) {
	idx := &stepsIndex{Memory: index.NewMemory()}
	e, err := engine.OpenStores(t.Context(), idx, blob.NewMemory(0), &engine.Options{Rules: engine.S3})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	engine.StopSweeper(e)
	const uploads, parts, bound = 5, 6000, 8 << 10
	for i := range uploads {
		id := mustInitiate(t, e, "bucket", "key", "")
		content, ok := index.ParseContentID(id)
		if !ok {
			t.Fatalf("upload %d has the id %q", i, id)
		}
		for at := 1; at <= parts; at += 1000 { // as if they were uploaded, but sooner
			put(t, idx, func(tx index.Tx) error {
				for n := at; n < at+1000; n++ {
					if err := index.Put(tx, index.PartKey(content, n), &index.Part{Inline: true}); err != nil {
						return err
					}
				}
				return ledger.Count(tx, index.Totals{Parts: 1000})
			})
		}
	}
	idx.most.Store(0)
	if _, err := e.DeleteBucket(t.Context(), &engine.DeleteBucketRequest{Bucket: "bucket"}); err != nil {
		t.Fatal(err)
	}
	if n := idx.most.Load(); n == 0 || n >= bound+parts+100 {
		t.Errorf("one transaction has read %d records, want those of at most %d parts and an upload", n, bound)
	}
	if n := stats(t, e).Uploads; n != 0 {
		t.Errorf("%d uploads are left", n)
	}
}

// A stepsIndex knows the most records that one transaction has scanned.
type stepsIndex struct {
	*index.Memory
	most atomic.Int64
}

func (s *stepsIndex) Update(ctx context.Context, fn func(index.Tx) error) error {
	return s.Memory.Update(ctx, func(tx index.Tx) error {
		counted := &stepsTx{Tx: tx}
		defer func() { s.most.Store(max(s.most.Load(), counted.scanned.Load())) }()
		return fn(counted)
	})
}

type stepsTx struct {
	index.Tx
	scanned atomic.Int64
}

func (tx *stepsTx) Scan(start, end []byte) iter.Seq2[index.Item, error] {
	return countingReader{tx.Tx, &tx.scanned}.Scan(start, end)
}
