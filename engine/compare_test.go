package engine_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// TestCompare compares stores that were filled alike, and then not.
func TestCompare(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	o := engine.Options{ChunkSize: 32 << 10, Clock: func() time.Time { return now }}
	first, second := inMemory(t, o).open(t), inMemory(t, o).open(t)
	for _, e := range []*engine.Engine{first, second} {
		mustBucket(t, e, "both")
		for _, key := range []string{"a", "b", "c", "d"} {
			mustPut(t, e, engine.PutObjectRequest{Bucket: "both", Key: key, Body: bytes.NewReader(random(1, 100))})
		}
	}
	if res := mustBeSame(t, first, second); res.Buckets != 1 || res.Objects != 4 || res.Bytes != 400 {
		t.Errorf("of two that are alike: %+v", res)
	}
	mustBucket(t, first, "only-first")
	mustBucket(t, second, "only-second")
	mustDelete(t, second, "both", "a")
	mustDelete(t, first, "both", "d")
	mustPut(t, second, engine.PutObjectRequest{Bucket: "both", Key: "b", Body: bytes.NewReader(random(2, 100))})
	upload := mustInitiate(t, first, "both", "open", "")

	res, err := engine.Compare(t.Context(), first, second)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range res.Differences {
		got = append(got, d.String())
	}
	want := []string{
		"both/a: the second store does not have it",
		"both/b: they differ in ETag, ContentMD5, CRC64",
		"both/d: the first store does not have it",
		"both/open: upload " + upload + ": the second store does not have it",
		"only-first: the second store does not have it",
		"only-second: the first store does not have it",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the differences are %q, want %q", got, want)
	}
	if _, err := engine.Compare(t.Context(), first, nil); !errors.Is(err, engine.ErrInvalidArgument) {
		t.Errorf("Compare with nothing: %v", err)
	}
	mustClose(t, second)
	if _, err := engine.Compare(t.Context(), first, second); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("Compare with a store that is closed: %v", err)
	}
}

// TestCompareParts compares an upload whose parts differ in two copies of a store.
func TestCompareParts(t *testing.T) {
	o := engine.Options{ChunkSize: 32 << 10}
	first := inMemory(t, o).open(t)
	upload := mustInitiate(t, first, "bucket", "key", "")
	mustPart(t, first, "bucket", "key", upload, 1, random(1, 100))
	second := moved(t, first, inMemory(t, o))
	mustPart(t, second, "bucket", "key", upload, 2, random(2, 100))
	res, err := engine.Compare(t.Context(), first, second)
	if err != nil {
		t.Fatal(err)
	}
	want := engine.Difference{
		Bucket: "bucket", Key: "key", UploadID: upload, PartNumber: 2, What: "the first store does not have it",
	}
	if !slices.Equal(res.Differences, []engine.Difference{want}) || res.Parts != 1 {
		t.Errorf("%+v, want one difference, %+v", res, want)
	}
}

// TestCompareBelowDifferences compares stores in which a bucket differs, and what is in it, too.
func TestCompareBelowDifferences(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	o := engine.Options{Clock: func() time.Time { return now }}
	first, second := inMemory(t, o).open(t), inMemory(t, o).open(t)
	for e, scope := range map[*engine.Engine]engine.DedupScope{first: engine.DedupStore, second: engine.DedupBucket} {
		if _, err := e.CreateBucket(t.Context(), &engine.CreateBucketRequest{Bucket: "bucket", DedupScope: scope}); err != nil {
			t.Fatal(err)
		}
		mustPut(t, e, engine.PutObjectRequest{Bucket: "bucket", Key: "alike", Body: bytes.NewReader(random(1, 100))})
	}
	mustPut(t, first, engine.PutObjectRequest{Bucket: "bucket", Key: "other", Body: bytes.NewReader(random(1, 100))})
	upload := mustInitiate(t, second, "bucket", "open", "")
	res, err := engine.Compare(t.Context(), first, second)
	if err != nil {
		t.Fatal(err)
	}
	want := []engine.Difference{
		{Bucket: "bucket", What: "they differ in DedupScope"},
		{Bucket: "bucket", Key: "other", What: "the second store does not have it"},
		{Bucket: "bucket", Key: "open", UploadID: upload, What: "the first store does not have it"},
	}
	if !slices.Equal(res.Differences, want) {
		t.Errorf("the differences are %v, want %v", res.Differences, want)
	}
	if res.Buckets != 0 || res.Objects != 1 || res.Bytes != 100 {
		t.Errorf("what is the same is %+v", res)
	}
}

// TestCompareAttributes compares an upload of which two copies of a store say other things, and its
// parts, which differ, too.
func TestCompareAttributes(t *testing.T) {
	o := engine.Options{ChunkSize: 32 << 10}
	first, to := inMemory(t, o).open(t), inMemory(t, o)
	upload := mustInitiate(t, first, "bucket", "key", "")
	second := moved(t, first, to)
	mustPart(t, second, "bucket", "key", upload, 1, random(1, 100))
	put(t, to.index, func(tx index.Tx) error {
		id, _ := index.ParseContentID(upload)
		rec, err := index.Get(tx, index.UploadKey("bucket", "key", id))
		if err != nil {
			return err
		}
		rec.Attributes.Metadata = map[string]string{"name": "another value"}
		return index.Put(tx, index.UploadKey("bucket", "key", id), &rec)
	})
	res, err := engine.Compare(t.Context(), first, second)
	if err != nil {
		t.Fatal(err)
	}
	want := []engine.Difference{
		{Bucket: "bucket", Key: "key", UploadID: upload, What: "they differ in Attributes"},
		{Bucket: "bucket", Key: "key", UploadID: upload, PartNumber: 1, What: "the first store does not have it"},
	}
	if !slices.Equal(res.Differences, want) || res.Uploads != 0 {
		t.Errorf("%+v, want the differences %v", res, want)
	}
}
