package engine_test

import (
	"bytes"
	"context"
	"io"
	"sync/atomic"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// countedBlobs counts the chunks that are read.
type countedBlobs struct {
	blob.Store
	gets atomic.Int64
}

func (b *countedBlobs) Get(ctx context.Context, ref blob.Ref, buf []byte) ([]byte, error) {
	b.gets.Add(1)
	return b.Store.Get(ctx, ref, buf)
}

// TestReadAhead looks which chunks are read before anybody asks for them.
func TestReadAhead(t *testing.T) {
	const chunk = 16 << 10
	blobs := &countedBlobs{Store: blob.NewMemory(1 << 20)}
	e, err := engine.OpenStores(t.Context(), index.NewMemory(), blobs, &engine.Options{ChunkSize: chunk})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	whole := random(seed(t), 6*chunk)
	mustObject(t, e, "bucket", "key", "", whole)
	// readTo reads up to an offset. Then so many chunks have been read; none more will be.
	readTo := func(obj *engine.Object, from, to int, want int64) {
		t.Helper()
		got := make([]byte, to-from)
		if _, err := io.ReadFull(obj, got); err != nil || !bytes.Equal(got, whole[from:to]) {
			t.Fatalf("bytes %d to %d: %v, or not those that were stored", from, to, err)
		}
		if !eventually(func() bool { return blobs.gets.Load() == want }) {
			t.Errorf("bytes %d to %d: %d chunks are read, wanted %d", from, to, blobs.gets.Load(), want)
		}
	}
	for _, c := range []struct {
		name string
		rng  string
		read func(obj *engine.Object)
		gets int64 // after Close
	}{
		{"who reads a little gets no more", "", func(obj *engine.Object) { readTo(obj, 0, chunk, 1) }, 1},
		{"who reads on finds the next", "", func(obj *engine.Object) {
			readTo(obj, 0, chunk+1, 4)
			readTo(obj, chunk+1, 2*chunk, 4)
			readTo(obj, 2*chunk, 2*chunk+1, 5)
		}, 5},
		{"nothing lies behind the end", "", func(obj *engine.Object) { readTo(obj, 0, len(whole), 6) }, 6},
		{"who goes elsewhere gets what he wants", "", func(obj *engine.Object) {
			readTo(obj, 0, chunk+1, 4)
			if _, err := obj.Seek(5*chunk, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			readTo(obj, 5*chunk, 6*chunk, 5)
		}, 5},
		{"who finds all processors taken gets no more", "bytes=0-81919", func(obj *engine.Object) {
			giveBack := engine.TakeProcessors(e)
			readTo(obj, 0, chunk+1, 2)
			readTo(obj, chunk+1, 2*chunk+1, 3)
			giveBack()
			readTo(obj, 2*chunk+1, 3*chunk+1, 5)
		}, 5},
		{"a copy", "", func(obj *engine.Object) {
			if n, err := io.Copy(io.Discard, obj); n != int64(len(whole)) || err != nil {
				t.Errorf("%d bytes, %v", n, err)
			}
		}, 6},
		{"nor behind a range", "bytes=0-20000", func(obj *engine.Object) { _, _ = io.Copy(io.Discard, obj) }, 2},
	} {
		blobs.gets.Store(0)
		obj := mustGet(t, e, "bucket", "key", c.rng)
		c.read(obj)
		if err := obj.Close(); err != nil {
			t.Error(err)
		}
		if got := blobs.gets.Load(); got != c.gets {
			t.Errorf("%s: %d chunks were read, wanted %d", c.name, got, c.gets)
		}
	}
}
