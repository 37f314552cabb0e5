package engine_test

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// A countingIndex counts the records that scans of its snapshots yield.
type countingIndex struct {
	*index.Memory
	scanned atomic.Int64
}

func (s *countingIndex) View(ctx context.Context, fn func(index.Reader) error) error {
	return s.Memory.View(ctx, func(r index.Reader) error { return fn(countingReader{r, &s.scanned}) })
}

type countingReader struct {
	index.Reader
	scanned *atomic.Int64
}

func (r countingReader) Scan(start, end []byte) iter.Seq2[index.Item, error] {
	return func(yield func(index.Item, error) bool) {
		for item, err := range r.Reader.Scan(start, end) {
			r.scanned.Add(1)
			if !yield(item, err) {
				return
			}
		}
	}
}

// crowd is how many keys or uploads lie where a page should not visit them all.
const crowd = 20_000

// newCrowd is an engine whose bucket has, as objects and as uploads, crowd keys that begin with a/,
// then b, then 1000 times 20 keys that begin with c/; and crowd uploads of the key d.
func newCrowd(t *testing.T) (*engine.Engine, *countingIndex) {
	idx := &countingIndex{Memory: index.NewMemory()}
	e, err := engine.OpenStores(t.Context(), idx, blob.NewMemory(0), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	mustBucket(t, e, "bucket")
	keys := []string{"b"}
	for i := range crowd {
		keys = append(keys, fmt.Sprintf("a/%05d", i), fmt.Sprintf("c/%03d/%02d", i/20, i%20))
	}
	for _, key := range keys {
		put(t, idx, func(tx index.Tx) error {
			return errors.Join(
				index.Put(tx, index.ObjectKey("bucket", key), &index.Object{}),
				index.Put(tx, index.UploadKey("bucket", key, index.ContentID{}), &index.Upload{}),
			)
		})
	}
	for i := range crowd {
		put(t, idx, func(tx index.Tx) error {
			return index.Put(tx, index.UploadKey("bucket", "d", crowdID(i)), &index.Upload{})
		})
	}
	return e, idx
}

func put(t *testing.T, idx index.Store, fn func(index.Tx) error) {
	t.Helper()
	if err := idx.Update(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

func crowdID(i int) (id index.ContentID) {
	binary.BigEndian.PutUint32(id[:], uint32(i))
	return id
}

// TestPagesCostWhatTheyHold counts the records that a page visits: one for each of its entries, and
// one to see whether there are more.
func TestPagesCostWhatTheyHold(t *testing.T) {
	t.Parallel()
	e, idx := newCrowd(t)
	type query struct {
		prefix, delimiter, key, id string
		max                        int
	}
	check := func(q query, want int, list func(query) (entries int, err error)) {
		t.Helper()
		before := idx.scanned.Load()
		entries, err := list(q)
		if visited := int(idx.scanned.Load() - before); err != nil || entries != want || visited > want+1 {
			t.Errorf("%+v: %d entries, %d records visited, %v; want %d entries", q, entries, visited, err, want)
		}
	}
	uploads := func(q query) (entries int, err error) {
		page, err := e.ListMultipartUploads(context.Background(), &engine.ListMultipartUploadsRequest{
			Bucket: "bucket", Prefix: q.prefix, Delimiter: q.delimiter, KeyMarker: q.key, UploadIDMarker: q.id, MaxUploads: q.max,
		})
		if err != nil {
			return 0, err
		}
		return len(page.Uploads) + len(page.CommonPrefixes), nil
	}
	objects := func(q query) (entries int, err error) {
		page, err := e.ListObjects(context.Background(), &engine.ListObjectsRequest{
			Bucket: "bucket", Prefix: q.prefix, Delimiter: q.delimiter, Marker: q.key, MaxKeys: cmp.Or(q.max, engine.MaxListing),
		})
		if err != nil {
			return 0, err
		}
		return len(page.Objects) + len(page.CommonPrefixes), nil
	}
	for q, want := range map[query]int{
		{}:                                                       1000,
		{key: "a/10000"}:                                         1000,
		{key: "c/500/10"}:                                        1000,
		{prefix: "a/1", max: 10}:                                 10,
		{prefix: "a/1", key: "a/12", max: 10}:                    10,
		{delimiter: "/", max: 1}:                                 1,
		{delimiter: "/", max: 3}:                                 3,
		{delimiter: "/", key: "a/", max: 2}:                      2,
		{delimiter: "/", key: "a/10000", max: 3}:                 3, // from below a common prefix
		{prefix: "a", delimiter: "/", key: "a/10000"}:            1,
		{prefix: "c/", delimiter: "/"}:                           1000, // as many common prefixes
		{prefix: "c/", delimiter: "/", key: "c/500/"}:            499,
		{prefix: "c/", delimiter: "/", key: "c/500/10", max: 10}: 10,
	} {
		check(q, want, uploads)
		check(q, want, objects)
	}
	for q, want := range map[query]int{
		{prefix: "d"}: 1000,
		{key: "d", id: crowdID(crowd / 2).String(), max: 10}:              10,
		{key: "d", id: crowdID(crowd).String()}:                           0,
		{delimiter: "d", key: "c/~"}:                                      1,
		{delimiter: "/", key: "a/10000", id: crowdID(0).String(), max: 3}: 3,
	} {
		check(q, want, uploads)
	}
}

// BenchmarkListMultipartUploads lists many open uploads, as many as GABION_UPLOADS says. All keys
// begin with all-, and go on with one of a thousand names and a slash.
func BenchmarkListMultipartUploads(b *testing.B) {
	uploads, err := strconv.Atoi(orElse(os.Getenv("GABION_UPLOADS"), "20000"))
	if err != nil {
		b.Fatalf("GABION_UPLOADS: %v", err)
	}
	e := openTemp(b, nil)
	began := time.Now()
	initiateMany(b, e, uploads)
	b.Logf("%d uploads begun in %v", uploads, time.Since(began))
	middle := "all-500/" + fmt.Sprintf("%06d", uploads/2000)
	for _, row := range []struct {
		name string
		req  engine.ListMultipartUploadsRequest
	}{
		{"first page", engine.ListMultipartUploadsRequest{}},
		{"middle page", engine.ListMultipartUploadsRequest{KeyMarker: middle}},
		{"page of common prefixes", engine.ListMultipartUploadsRequest{Delimiter: "/"}},
		{"one common prefix of all", engine.ListMultipartUploadsRequest{Delimiter: "-"}},
		{"one common prefix from its middle", engine.ListMultipartUploadsRequest{Delimiter: "-", KeyMarker: middle}},
	} {
		b.Run(row.name, func(b *testing.B) {
			row.req.Bucket = "bucket"
			entries := 0
			for b.Loop() {
				page, err := e.ListMultipartUploads(context.Background(), &row.req)
				if err != nil {
					b.Fatal(err)
				}
				entries = len(page.Uploads) + len(page.CommonPrefixes)
			}
			b.ReportMetric(float64(entries), "entries/op")
		})
	}
}

// initiateMany begins many uploads at once, so that they share the syncs of the index.
func initiateMany(b *testing.B, e *engine.Engine, uploads int) {
	mustBucket(b, e, "bucket")
	var next atomic.Int64
	var all sync.WaitGroup
	for range 256 {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(uploads); i = next.Add(1) - 1 {
				_, err := e.InitiateMultipartUpload(context.Background(), &engine.InitiateMultipartUploadRequest{
					Bucket: "bucket", Key: fmt.Sprintf("all-%03d/%06d", i%1000, i/1000),
				})
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}
