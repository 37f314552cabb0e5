package engine_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// failingBlobs fails as many reads of chunks as it is told to.
type failingBlobs struct {
	countedBlobs
	failures atomic.Int64
}

var errPassing = errors.New("a passing failure")

func (b *failingBlobs) Get(ctx context.Context, ref blob.Ref, buf []byte) ([]byte, error) {
	if b.failures.Add(-1) >= 0 {
		return nil, errPassing
	}
	return b.countedBlobs.Get(ctx, ref, buf)
}

// TestReadAtVerifiesOnce counts the chunks that reads at offsets fetch.
func TestReadAtVerifiesOnce(t *testing.T) {
	const chunk, kept = 4 << 10, 4
	blobs := &failingBlobs{countedBlobs: countedBlobs{Store: blob.NewMemory(1 << 20)}}
	e, err := engine.OpenStores(
		t.Context(), index.NewMemory(), blobs, &engine.Options{ChunkSize: chunk},
	)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	whole := random(seed(t), (kept+1)*chunk)
	mustObject(t, e, "bucket", "key", "", whole)
	obj := mustGet(t, e, "bucket", "key", "")
	buf := make([]byte, 100)
	read := func(off int) error {
		n, err := obj.ReadAt(buf, int64(off))
		if err == nil && (n != len(buf) || !bytes.Equal(buf, whole[off:off+n])) {
			err = errors.New("these are not the bytes that were stored")
		}
		return err
	}
	wantGets := func(what string, want int64) {
		t.Helper()
		if got := blobs.gets.Swap(0); got != want {
			t.Errorf("%s: %d chunks are read, wanted %d", what, got, want)
		}
	}
	mustRead := func(from, to int) {
		t.Helper()
		for off := from; off < to; off += len(buf) {
			if err := read(min(off, to-len(buf))); err != nil {
				t.Fatalf("at %d: %v", off, err)
			}
		}
	}
	mustRead(0, kept*chunk)
	wantGets("every chunk is new", kept)
	mustRead(0, kept*chunk)
	wantGets("every chunk is kept", 0)
	mustRead(kept*chunk, (kept+1)*chunk)
	wantGets("one more", 1)
	mustRead(chunk, kept*chunk)
	wantGets("the later ones are kept", 0)
	mustRead(0, chunk)
	wantGets("the one used first had to go", 1)

	blobs.failures.Store(1)
	at := kept * chunk // which has gone for that
	if err := read(at); !errors.Is(err, errPassing) {
		t.Errorf("the store's failure: %v", err)
	}
	mustRead(at, at+chunk)
	wantGets("what has failed is read again", 1)

	if err := obj.Close(); err != nil {
		t.Fatal(err)
	}
	if err := read(at); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("a read of a closed object: %v", err)
	}

	obj = mustGet(t, e, "bucket", "key", "")
	defer obj.Close()
	var readers sync.WaitGroup
	for g := range 16 {
		readers.Go(func() {
			buf := make([]byte, 100)
			for i := range 40 {
				off := (i*len(buf)*7 + g*chunk) % (kept*chunk - len(buf))
				n, err := obj.ReadAt(buf, int64(off))
				if err != nil || !bytes.Equal(buf[:n], whole[off:off+n]) {
					t.Errorf("at %d: %d bytes, %v", off, n, err)
				}
			}
		})
	}
	readers.Wait()
	wantGets("many at once", kept)
}
