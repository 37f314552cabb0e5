package engine_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// pageMemory is what a page may allocate, in bytes, though much is said of each of its entries.
const pageMemory = 8 << 20

// muchSaid is as much as clients may say of an object, in as many texts.
func muchSaid() map[string]string {
	said := make(map[string]string)
	for i := range 1000 {
		said[fmt.Sprintf("n%03d", i)] = "text"
	}
	return said
}

// cheaply lists a page, which must take little memory however much is said of what it lists.
func cheaply[Req, Page any](
	t *testing.T, list func(context.Context, *Req) (*Page, error), req *Req,
) *Page {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	page, err := list(t.Context(), req)
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > pageMemory {
		t.Errorf("a page of %+v takes %d bytes", *req, took)
	}
	return page
}

// namesIn are the names of all entries of a sequence.
func namesIn[T any](t *testing.T, seq iter.Seq2[T, error], name func(T) string) (names []string) {
	t.Helper()
	for entry, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name(entry))
	}
	return names
}

// TestPagesTakeLittleMemory lists entries of which as much is said as may be: pages end early then,
// and go on where they ended.
func TestPagesTakeLittleMemory(t *testing.T) {
	idx := index.NewMemory()
	e, err := engine.OpenStores(t.Context(), idx, blob.NewMemory(0), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	mustBucket(t, e, "bucket")
	var all, buckets []string
	for i := range engine.MaxListing {
		key := fmt.Sprintf("%d/%03d", i%2, i)
		all, buckets = append(all, key), append(buckets, fmt.Sprintf("bucket%03d", i))
		put(t, idx, func(tx index.Tx) error {
			return errors.Join(
				index.Put(tx, index.ObjectKey("bucket", key), &index.Object{Attributes: index.Attributes{Metadata: muchSaid()}}),
				index.Put(tx, index.UploadKey("bucket", key, crowdID(i)), &index.Upload{
					Encryption: index.Encryption{Algorithm: "KMS", KeyID: strings.Repeat("k", index.MaxKeyID)},
				}),
				index.Put(tx, index.BucketKey(buckets[i]), &index.Bucket{Rules: "OSS", Dedup: "store", Annotations: muchSaid()}),
			)
		})
	}
	slices.Sort(all)
	buckets = append([]string{"bucket"}, buckets...)
	t.Run("ListObjects", func(t *testing.T) {
		req := &engine.ListObjectsRequest{Bucket: "bucket", MaxKeys: engine.MaxListing}
		var got []string
		for more := true; more; {
			page := cheaply(t, e.ListObjects, req)
			for _, o := range page.Objects {
				got = append(got, o.Key)
				if !maps.Equal(o.Metadata, muchSaid()) {
					t.Fatalf("%s has %d texts", o.Key, len(o.Metadata))
				}
			}
			if more = page.IsTruncated; more && page.NextMarker != got[len(got)-1] {
				t.Fatalf("the next page begins behind %q, the last entry is %q", page.NextMarker, got[len(got)-1])
			}
			req.Marker = page.NextMarker
		}
		if !slices.Equal(got, all) {
			t.Errorf("the pages have %d objects, wanted are %d", len(got), len(all))
		}
		one := cheaply(t, e.ListObjects, &engine.ListObjectsRequest{Bucket: "bucket", Delimiter: "0/", MaxKeys: engine.MaxListing})
		if len(one.CommonPrefixes) != 1 || len(one.Objects) == 0 || !one.IsTruncated || one.NextMarker != one.Objects[len(one.Objects)-1].Key {
			t.Errorf("%q, %d objects, truncated: %t, %q", one.CommonPrefixes, len(one.Objects), one.IsTruncated, one.NextMarker)
		}
		common := cheaply(t, e.ListObjects, &engine.ListObjectsRequest{Bucket: "bucket", Delimiter: "/"})
		if len(common.CommonPrefixes) != 2 || common.IsTruncated {
			t.Errorf("%q, truncated: %t", common.CommonPrefixes, common.IsTruncated)
		}
	})
	t.Run("ListMultipartUploads", func(t *testing.T) {
		req := &engine.ListMultipartUploadsRequest{Bucket: "bucket"}
		page := cheaply(t, e.ListMultipartUploads, req)
		if !page.IsTruncated || len(page.Uploads) == 0 || page.NextKeyMarker != page.Uploads[len(page.Uploads)-1].Key {
			t.Errorf("%d uploads, truncated: %t, %q", len(page.Uploads), page.IsTruncated, page.NextKeyMarker)
		}
		got := namesIn(t, e.Uploads(t.Context(), req), func(u engine.MultipartUpload) string { return u.Key })
		if !slices.Equal(got, all) {
			t.Errorf("the pages have %d uploads, wanted are %d", len(got), len(all))
		}
	})
	t.Run("ListBuckets", func(t *testing.T) {
		for _, most := range []int{0, engine.MaxBucketListing} {
			page := cheaply(t, e.ListBuckets, &engine.ListBucketsRequest{MaxBuckets: most})
			if n := len(page.Buckets); !page.IsTruncated || n == 0 || page.NextMarker != page.Buckets[n-1].Name || page.MaxBuckets != engine.MaxBucketListing {
				t.Errorf("%d buckets of %d, truncated: %t, %q", n, page.MaxBuckets, page.IsTruncated, page.NextMarker)
			}
		}
		got := namesIn(t, e.Buckets(t.Context(), nil), func(b engine.Bucket) string { return b.Name })
		if !slices.Equal(got, buckets) {
			t.Errorf("the pages have %d buckets, wanted are %d", len(got), len(buckets))
		}
	})
}

// TestBucketPage lists more buckets than a page has, of which as much is said as of those of S3.
func TestBucketPage(t *testing.T) {
	idx := index.NewMemory()
	e, err := engine.OpenStores(t.Context(), idx, blob.NewMemory(0), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var names []string
	for i := range engine.MaxBucketListing + 1 {
		names = append(names, fmt.Sprintf("bucket%05d", i))
		put(t, idx, func(tx index.Tx) error {
			return index.Put(tx, index.BucketKey(names[i]), &index.Bucket{
				Rules: "S3", Dedup: "store", Annotations: map[string]string{"s3.location": "ap-southeast-2"},
			})
		})
	}
	page, err := e.ListBuckets(t.Context(), nil)
	if err != nil || len(page.Buckets) != engine.MaxBucketListing || !page.IsTruncated || page.NextMarker != names[engine.MaxBucketListing-1] {
		t.Fatalf("%d buckets, truncated: %t, %q, %v", len(page.Buckets), page.IsTruncated, page.NextMarker, err)
	}
	got := namesIn(t, e.Buckets(t.Context(), nil), func(b engine.Bucket) string { return b.Name })
	if !slices.Equal(got, names) {
		t.Errorf("the pages have %d buckets, wanted are %d", len(got), len(names))
	}
	checkFailing(t, e.Buckets(t.Context(), &engine.ListBucketsRequest{MaxBuckets: -1}), engine.ErrInvalidArgument)
}
