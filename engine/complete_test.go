package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/badger"
)

// updateCounter counts the transactions of an index in a directory.
type updateCounter struct {
	index.Store
	updates atomic.Int64
}

func (c *updateCounter) Update(ctx context.Context, fn func(index.Tx) error) error {
	c.updates.Add(1)
	return c.Store.Update(ctx, fn)
}

// keptBlobs outlive the engine, and count what is asked of them.
type keptBlobs struct {
	*blob.Memory
	calls atomic.Int64
}

func (k *keptBlobs) Put(ctx context.Context, id blob.ID, frame []byte) (blob.Ref, error) {
	k.calls.Add(1)
	return k.Memory.Put(ctx, id, frame)
}

func (k *keptBlobs) Get(ctx context.Context, ref blob.Ref, buf []byte) ([]byte, error) {
	k.calls.Add(1)
	return k.Memory.Get(ctx, ref, buf)
}

func (k *keptBlobs) Close() error { return nil }

// openCounted opens an engine on an index in dir.
func openCounted(t testing.TB, dir string, blobs blob.Store) (*engine.Engine, *updateCounter) {
	t.Helper()
	idx, err := badger.Open(context.Background(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	counted := &updateCounter{Store: idx}
	e, err := engine.OpenStores(t.Context(), counted, blobs, &engine.Options{DedupScope: engine.DedupNone}) // with the longest records
	if err != nil {
		t.Fatal(err)
	}
	return e, counted
}

// manyParts makes an upload of n parts of the smallest size that all may have, without moving a
// byte.
func manyParts(t testing.TB, e *engine.Engine, n int) (id string, list []engine.CompletedPart) {
	t.Helper()
	ctx := context.Background()
	mustBucket(t, e, "bucket")
	sha := engine.Checksum{Algorithm: "SHA256"} // the longest
	etag := mustPut(t, e, engine.PutObjectRequest{Key: "source", Body: bytes.NewReader(random(1, minPart)), Checksum: sha}).ETag
	up, err := e.InitiateMultipartUpload(ctx, &engine.InitiateMultipartUploadRequest{Bucket: "bucket", Key: "key", Checksum: sha})
	if err != nil {
		t.Fatal(err)
	}
	var copies sync.WaitGroup
	numbers := make(chan int)
	for range 64 { // so that they share commits
		copies.Go(func() {
			for n := range numbers {
				_, err := e.UploadPartCopy(ctx, &engine.UploadPartCopyRequest{
					Bucket: "bucket", Key: "key", UploadID: up.UploadID, PartNumber: n, SourceBucket: "bucket", SourceKey: "source",
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for n := range n {
		numbers <- n + 1
		list = append(list, engine.CompletedPart{PartNumber: n + 1, ETag: etag})
	}
	close(numbers)
	copies.Wait()
	return up.UploadID, list
}

// TestCompleteMoves has Complete of 10000 parts, all of them or every other, take one transaction
// and not touch a chunk. After another Open all is the same. Every other is the largest transaction
// that there is.
func TestCompleteMoves(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("10000 parts, twice")
	}
	for _, every := range []int{1, 2} {
		dir, blobs := t.TempDir(), &keptBlobs{Memory: blob.NewMemory(0)}
		e, idx := openCounted(t, dir, blobs)
		id, all := manyParts(t, e, engine.MaxPartNumber)
		var list []engine.CompletedPart
		for i := 0; i < len(all); i += every {
			list = append(list, all[i])
		}
		mustReclaim(t, e) // so that the background is at rest
		updates, calls := idx.updates.Load(), blobs.calls.Load()
		done := mustComplete(t, e, "bucket", "key", id, list...)
		// The worker takes transactions of its own for what is not listed.
		if n := idx.updates.Load() - updates; every == 1 && n != 1 {
			t.Errorf("Complete took %d transactions", n)
		}
		if n := blobs.calls.Load() - calls; n != 0 {
			t.Errorf("Complete touched chunks %d times", n)
		}
		if done.Size != int64(len(list)*minPart) {
			t.Errorf("the object is %+v", done)
		}
		before := head(t, e, "bucket", "key")
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		e, _ = openCounted(t, dir, blobs)
		if after := head(t, e, "bucket", "key"); !reflect.DeepEqual(after, before) || after.ETag != done.ETag || after.CRC64 != done.CRC64 {
			t.Errorf("after another Open the object is %+v, was %+v", after, before)
		}
		obj := mustGet(t, e, "bucket", "key", fmt.Sprintf("bytes=%d-", len(list)*minPart-minPart))
		got := make([]byte, minPart)
		if _, err := obj.ReadAt(got, 0); err != nil || !slices.Equal(got, random(1, minPart)) {
			t.Errorf("the last part reads differently: %v", err)
		}
		obj.Close()
		checkStore(t, e)
		mustDelete(t, e, "bucket", "key")
		mustDelete(t, e, "bucket", "source")
		if left := tallyOf(t, e); left != (tally{}) {
			t.Errorf("left is %+v", left)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// BenchmarkComplete compares uploads of 1, 100 and 10000 parts.
func BenchmarkComplete(b *testing.B) {
	for _, parts := range []int{1, 100, 10000} {
		b.Run(fmt.Sprintf("parts=%d", parts), func(b *testing.B) {
			e, _ := openCounted(b, b.TempDir(), blob.NewMemory(0))
			defer e.Close()
			for range b.N {
				b.StopTimer()
				id, list := manyParts(b, e, parts)
				b.StartTimer()
				mustComplete(b, e, "bucket", "key", id, list...)
			}
		})
	}
}
