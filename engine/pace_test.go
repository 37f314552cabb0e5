package engine_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// pacedPages is how many pages the part has that is copied by reference, again and again.
const pacedPages = 3

// A cuttingIndex fails the updates of calls whose context has a count of those that it may make,
// when that is used up.
type cuttingIndex struct{ *index.Memory }

type updatesLeft struct{}

var errCut = errors.New("the call is cut off")

func (s cuttingIndex) Update(ctx context.Context, fn func(index.Tx) error) error {
	if left, ok := ctx.Value(updatesLeft{}).(*atomic.Int64); ok && left.Add(-1) < 0 {
		return errCut
	}
	return s.Memory.Update(ctx, fn)
}

// TestPartCopiesArePaced has many clients copy one object by reference onto the same part, to the
// end, or up to the last page. What they leave to the sweeping must not pile up, however much faster
// they are. No time passes unless nothing goes on.
func TestPartCopiesArePaced(t *testing.T) {
	for name, updates := range map[string]int64{"replaced": pacedPages, "given up": pacedPages - 1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testPartCopiesArePaced(t, updates) })
		})
	}
}

func testPartCopiesArePaced(t *testing.T, updates int64) {
	const clients, copies, behind = 32, 8, 8
	// The source and the part, the trash that is let be, and of each client a part that is on its
	// way and one that it has given up since somebody looked.
	const most = 2*pacedPages + behind + 2*clients*pacedPages
	e, err := engine.OpenStores(t.Context(), cuttingIndex{index.NewMemory()}, blob.NewMemory(0), &engine.Options{ChunkSize: draftChunk})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	engine.CopyBehind(e, behind*index.MaxPageChunks, behind)
	mustObject(t, e, "bucket", "source", "", repeated(pacedPages*index.MaxPageChunks))
	req := &engine.UploadPartCopyRequest{
		Bucket: "bucket", Key: "copy", UploadID: mustInitiate(t, e, "bucket", "copy", ""), PartNumber: 1, SourceBucket: "bucket", SourceKey: "source",
	}
	var peak, cut atomic.Int64
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for range copies {
				left := new(atomic.Int64)
				left.Store(updates)
				_, err := e.UploadPartCopy(context.WithValue(t.Context(), updatesLeft{}, left), req)
				if errors.Is(err, errCut) {
					cut.Add(1)
				} else if err != nil {
					t.Error(err)
				}
				n := stats(t, e).References / index.MaxPageChunks
				for old := peak.Load(); n > old && !peak.CompareAndSwap(old, n); old = peak.Load() {
				}
			}
		})
	}
	all.Wait()
	t.Logf("at most %d pages, of %d copies of %d, %d of them cut off", peak.Load(), clients*copies, pacedPages, cut.Load())
	if peak.Load() > most {
		t.Errorf("there were %d pages, want at most %d", peak.Load(), most)
	}
	if want := clients * copies * (pacedPages - updates); cut.Load() != want {
		t.Errorf("%d copies were cut off, want %d", cut.Load(), want)
	}
	checkStore(t, e)
}

// TestPartCopyWaits has a copy by reference wait for a sweeping that cannot get on, since a call has
// the turn: no longer than its context lasts, and with a context that does not end not for ever.
func TestPartCopyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := engine.OpenStores(t.Context(), index.NewMemory(), blob.NewMemory(0), &engine.Options{ChunkSize: draftChunk})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		engine.CopyBehind(e, 0, 0)
		mustObject(t, e, "bucket", "source", "", repeated(pacedPages))
		req := &engine.UploadPartCopyRequest{
			Bucket: "bucket", Key: "copy", UploadID: mustInitiate(t, e, "bucket", "copy", ""), PartNumber: 1, SourceBucket: "bucket", SourceKey: "source",
		}
		mustReclaim(t, e)
		defer engine.TakeTurn(e)()
		for range 2 { // the second replaces the first, which makes trash
			if _, err := e.UploadPartCopy(t.Context(), req); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := e.UploadPartCopy(ctx, req)
			done <- err
		}()
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("the copy does not wait: %v", err)
		default:
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v", err)
		}
		if _, err := e.UploadPartCopy(t.Context(), req); err != nil {
			t.Error(err)
		}
	})
}
