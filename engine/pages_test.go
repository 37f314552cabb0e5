package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// A meteredIndex counts the records that are read in snapshots, one by one or by scans.
type meteredIndex struct {
	*index.Memory
	read atomic.Int64
}

func (s *meteredIndex) View(ctx context.Context, fn func(index.Reader) error) error {
	return s.Memory.View(ctx, func(r index.Reader) error { return fn(meteredReader{r, &s.read}) })
}

func (s *meteredIndex) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	return index.GetByView(ctx, s.View, keys)
}

type meteredReader struct {
	index.Reader
	read *atomic.Int64
}

func (r meteredReader) Get(key []byte) ([]byte, error) {
	r.read.Add(1)
	return r.Reader.Get(key)
}

func (r meteredReader) Scan(start, end []byte) iter.Seq2[index.Item, error] {
	return func(yield func(index.Item, error) bool) {
		for item, err := range r.Reader.Scan(start, end) {
			r.read.Add(1)
			if !yield(item, err) {
				return
			}
		}
	}
}

// metered is an engine on a meteredIndex.
func metered(t *testing.T, o *engine.Options) (*engine.Engine, *meteredIndex) {
	t.Helper()
	idx := &meteredIndex{Memory: index.NewMemory()}
	e, err := engine.OpenStores(t.Context(), idx, blob.NewMemory(0), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	mustBucket(t, e, "bucket")
	return e, idx
}

// cost returns how many records fn reads.
func (s *meteredIndex) cost(fn func()) int64 {
	before := s.read.Load()
	fn()
	return s.read.Load() - before
}

// clonedParts completes an upload of 10000 parts. Of every part but the last the size is that of
// body, which all parts share: their manifests are one.
func clonedParts(t *testing.T, e *engine.Engine, idx *meteredIndex, body []byte) {
	t.Helper()
	id := mustInitiate(t, e, "bucket", "many", "")
	mustPart(t, e, "bucket", "many", id, 1, body)
	put(t, idx, func(tx index.Tx) error {
		part := first(index.Scan(tx, index.AllParts()))
		content, _, err := index.ParsePartKey(part.Key)
		for n := 2; n <= engine.MaxPartNumber; n++ {
			err = errors.Join(err, index.Put(tx, index.PartKey(content, n), &part.Record))
		}
		return err
	})
	mustComplete(t, e, "bucket", "many", id)
}

// TestRangeReadsWhatItNeeds counts the records that ranges of an object of 10000 parts read.
func TestRangeReadsWhatItNeeds(t *testing.T) {
	const size = 100 << 10
	e, idx := metered(t, &engine.Options{ChunkSize: 32 << 10})
	body := random(seed(t), size)
	clonedParts(t, e, idx, body)
	const most = 16 // object and bucket twice, two pages of the directory, part, page and chunk, and some to spare
	for _, at := range []int64{0, size - 5, size, 1023*size + 99, 1024 * size, 4096*size + 7, 9999 * size, engine.MaxPartNumber*size - 10} {
		var got []byte
		cost := idx.cost(func() {
			var err error
			obj := mustGet(t, e, "bucket", "many", fmt.Sprintf("bytes=%d-%d", at, at+9))
			defer obj.Close()
			if got, err = io.ReadAll(obj); err != nil {
				t.Fatal(err)
			}
		})
		for i, b := range got {
			if b != body[(at+int64(i))%size] {
				t.Fatalf("byte %d of the range at %d is wrong", i, at)
			}
		}
		if crosses := at/size != (at+9)/size; len(got) != 10 || cost > most && !crosses || cost > most+8 {
			t.Errorf("the range at %d reads %d records and has %d bytes", at, cost, len(got))
		}
	}
	for _, n := range []int{1, 1024, 1025, 9999, 10000} {
		var start, length int64
		cost := idx.cost(func() {
			obj, err := e.GetObject(context.Background(), &engine.GetObjectRequest{Bucket: "bucket", Key: "many", PartNumber: n})
			if err != nil {
				t.Fatal(err)
			}
			defer obj.Close()
			start, length, _ = selected(obj)
		})
		if start != int64(n-1)*size || length != size || cost > most {
			t.Errorf("part %d lies at %d, %d bytes, and costs %d records", n, start, length, cost)
		}
	}
}

// TestSmallChunksAreReadByPages opens an object of one part of 2 GiB in chunks of 4 KiB, which all
// are the same, and reads here and there and on from there: few records are read, and fewer are
// kept.
func TestSmallChunksAreReadByPages(t *testing.T) {
	const chunk, chunks = 4 << 10, 2 << 30 / (4 << 10)
	e, idx := metered(t, &engine.Options{ChunkSize: chunk})
	body := random(seed(t), chunk)
	id := mustInitiate(t, e, "bucket", "big", "")
	mustPart(t, e, "bucket", "big", id, 1, body)
	put(t, idx, func(tx index.Tx) error {
		part, page := first(index.Scan(tx, index.AllParts())), first(index.Scan(tx, index.AllPages()))
		part.Record.Size, part.Record.Chunks = chunk*chunks, chunks
		page.Record.Chunks = repeat(page.Record.Chunks[0], index.MaxPageChunks)
		var errs []error
		for n := range 8 { // as many as a transaction takes
			page.Record.Start = int64(n) * chunk * index.MaxPageChunks
			errs = append(errs, index.Put(tx, index.PageKey(part.Record.Manifest, n), &page.Record))
		}
		return errors.Join(append(errs, index.Put(tx, part.Key, &part.Record))...)
	})
	for n := 8; n < chunks/index.MaxPageChunks; n++ {
		put(t, idx, func(tx index.Tx) error {
			page := first(index.Scan(tx, index.AllPages()))
			manifest, _, err := index.ParsePageKey(page.Key)
			page.Record.Start = int64(n) * chunk * index.MaxPageChunks
			return errors.Join(err, index.Put(tx, index.PageKey(manifest, n), &page.Record))
		})
	}
	mustComplete(t, e, "bucket", "big", id)

	obj := mustGet(t, e, "bucket", "big", "")
	rng := rand.New(rand.NewPCG(seed(t), 1))
	const bytes = 3 * chunk
	for _, at := range []int64{0, chunk*chunks - bytes, rng.Int64N(chunk * chunks), 1024*chunk - 1, 511 * 1024 * chunk} {
		at = min(at, chunk*chunks-bytes)
		got := make([]byte, bytes)
		cost := idx.cost(func() {
			if _, err := obj.Seek(at, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(obj, got); err != nil {
				t.Fatal(err)
			}
		})
		for i, b := range got {
			if b != body[(at+int64(i))%chunk] {
				t.Fatalf("byte %d from %d on is wrong", i, at)
			}
		}
		if cost > 12 { // the part, two pages, and a record for each of up to eight chunks
			t.Errorf("reading %d bytes at %d reads %d records", bytes, at, cost)
		}
		if kept := obj.Kept(); kept > 2*index.MaxPageChunks+index.MaxPageParts {
			t.Errorf("%d entries are kept", kept)
		}
	}
}

func repeat[T any](v T, n int) []T {
	all := make([]T, n)
	for i := range all {
		all[i] = v
	}
	return all
}

// TestCopyCostsNothingMore copies an object of 10000 parts while no chunk is known to be damaged,
// and while one is.
func TestCopyCostsNothingMore(t *testing.T) {
	e, idx := metered(t, &engine.Options{ChunkSize: 32 << 10})
	clonedParts(t, e, idx, random(seed(t), 100<<10))
	copies := func() {
		mustCopy(t, e, engine.CopyObjectRequest{Bucket: "bucket", Key: "copy", SourceBucket: "bucket", SourceKey: "many"})
	}
	if cost := idx.cost(copies); cost > 16 {
		t.Errorf("a copy reads %d records", cost)
	}
	put(t, idx, func(tx index.Tx) error { // some chunk, of another object
		totals, err := index.Get(tx, index.TotalsKey())
		totals.Damaged++
		return errors.Join(err, index.Put(tx, index.TotalsKey(), &totals))
	})
	if cost := idx.cost(copies); cost < engine.MaxPartNumber {
		t.Errorf("a copy that has to look at every part reads %d records", cost)
	}
}
