package s3blob_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/blob/blobtest"
	"github.com/gabion-storage/gabion/fleet/internal/s3server"
	"github.com/gabion-storage/gabion/fleet/s3blob"
)

// TestShared has two stores see what the other has written, and what it has removed.
func TestShared(t *testing.T) {
	server := s3server.Start(t)
	a, b := open(t, server.Client(), s3blob.Options{}), open(t, server.Client(), s3blob.Options{})
	waiting, _ := put(t, a, 1, 1000)
	ref, frame := waiting, []byte(nil)
	if _, err := b.Get(t.Context(), waiting, nil); err == nil {
		t.Error("what another store has not written can be read")
	}
	if ref, frame = synced(t, a, 2, 1000); ref.Volume != waiting.Volume {
		t.Fatal("two frames lie in two volumes")
	}
	wantFrame(t, b, ref, frame)
	other, _ := synced(t, b, 3, 1000)
	volumes, err := a.Volumes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var ids []uint64
	for _, v := range volumes {
		ids = append(ids, v.ID)
	}
	if want := []uint64{ref.Volume, other.Volume}; !slices.Equal(ids, want) {
		t.Errorf("volumes %d, want %d", ids, want)
	}
	if err := b.Remove(t.Context(), ref.Volume); err != nil {
		t.Fatal(err)
	}
	_, err = a.Get(t.Context(), ref, nil)
	wantCorrupt(t, "Get of what another store has removed", err)
	if err := a.Remove(t.Context(), ref.Volume); !errors.Is(err, blob.ErrNoVolume) {
		t.Errorf("Remove of what another store has removed: %v", err)
	}
}

// TestListedVolumesAreKnown reads what another store has written. Once the volumes are listed, a frame of
// any takes one request.
func TestListedVolumesAreKnown(t *testing.T) {
	server := s3server.Start(t)
	var w wire
	a, b := open(t, server.Client(), s3blob.Options{}), open(t, w.through(server.Client()), s3blob.Options{})
	const volumes = 5
	var refs []blob.Ref
	var frames [][]byte
	for seed := range uint64(volumes) {
		ref, frame := synced(t, a, seed, 1000)
		refs, frames = append(refs, ref), append(frames, frame)
	}
	if infos, err := b.Volumes(t.Context()); err != nil || len(infos) != volumes {
		t.Fatalf("Volumes: %+v, %v", infos, err)
	}
	before := w.count("GET volumes")
	for i, ref := range refs {
		wantFrame(t, b, ref, frames[i])
	}
	if n := w.count("GET volumes") - before; n != volumes {
		t.Errorf("%d requests for %d frames", n, volumes)
	}
	if err := a.Remove(t.Context(), refs[0].Volume); err != nil {
		t.Fatal(err)
	}
	if infos, err := b.Volumes(t.Context()); err != nil || len(infos) != volumes-1 {
		t.Fatalf("Volumes: %+v, %v", infos, err)
	}
	if err := b.Remove(t.Context(), refs[0].Volume); !errors.Is(err, blob.ErrNoVolume) {
		t.Errorf("Remove of what another store has removed: %v", err)
	}
}

// TestNumbers opens stores side by side: no two use a number.
func TestNumbers(t *testing.T) {
	server := s3server.Start(t)
	var mu sync.Mutex
	taken := map[uint64]bool{}
	var wg sync.WaitGroup
	for i := range 12 {
		s := open(t, server.Client(), s3blob.Options{VolumeSize: 1000})
		wg.Go(func() {
			for seed := range uint64(3) {
				ref, _ := synced(t, s, seed, 1000+i)
				mu.Lock()
				if taken[ref.Volume] {
					t.Errorf("volume %d is there twice", ref.Volume)
				}
				taken[ref.Volume] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

// TestUnconditional uses a server that ignores conditions. Without Claim the store refuses it.
func TestUnconditional(t *testing.T) {
	server := s3server.Start(t)
	var w wire
	s := open(t, w.through(server.Client()), s3blob.Options{})
	w.set(nil, func(r *http.Request, res *http.Response) (*http.Response, error) {
		if res.StatusCode == http.StatusPreconditionFailed {
			res.StatusCode, res.Body = http.StatusOK, http.NoBody
		}
		return res, nil
	})
	id, frame := blobtest.Frame(1, 1000)
	if _, err := s.Put(t.Context(), id, frame); !errors.Is(err, s3blob.ErrUnconditional) {
		t.Errorf("Put: %v, want ErrUnconditional", err)
	}
	claimed := open(t, w.through(server.Client()), s3blob.Options{
		Claim: func(_ context.Context, least uint64) (uint64, error) { return least + 6, nil },
	})
	if ref, _ := synced(t, claimed, 1, 1000); ref.Volume>>32 != 7 {
		t.Errorf("volume %x, want one of opening 7", ref.Volume)
	}
	stuck := open(t, w.through(server.Client()), s3blob.Options{
		Claim: func(context.Context, uint64) (uint64, error) { return 3, nil },
	})
	if err := stuck.NumberAfter(5 << 32); err != nil {
		t.Fatal(err)
	}
	if _, err := stuck.Put(t.Context(), id, frame); err == nil {
		t.Error("a number was taken that is not above the one to be above")
	}
}

// TestForgotten has stores write and read more volumes than they may know. What they have forgotten they
// look for again; but not what is being read, the removal of which waits.
func TestForgotten(t *testing.T) {
	server := s3server.Start(t)
	var w wire
	a, b := open(t, server.Client(), s3blob.Options{}), open(t, w.through(server.Client()), s3blob.Options{})
	const most = 2
	a.KnowAtMost(most)
	b.KnowAtMost(most)
	wantFew := func(what string, s *s3blob.Store) {
		t.Helper()
		if n := s.Known(); n > most {
			t.Errorf("who has %s knows %d volumes, want %d at most", what, n, most)
		}
	}
	var refs []blob.Ref
	var frames [][]byte
	for i := range uint64(6) {
		ref, frame := synced(t, a, i, 1000)
		refs, frames = append(refs, ref), append(frames, frame)
	}
	wantFew("written", a)
	readAll := func() {
		for i := range refs {
			wantFrame(t, b, refs[i], frames[i])
		}
		wantFew("read", b)
	}
	readAll()

	reading, goOn := make(chan struct{}), make(chan struct{})
	var first atomic.Bool
	w.set(nil, func(r *http.Request, res *http.Response) (*http.Response, error) {
		if kindOf(r) == "GET volumes" && !r.URL.Query().Has("prefix") && first.CompareAndSwap(false, true) {
			close(reading)
			<-goOn
		}
		return res, nil
	})
	var reader sync.WaitGroup
	reader.Go(func() { wantFrame(t, b, refs[0], frames[0]) })
	<-reading
	for i := range refs[1:] {
		wantFrame(t, b, refs[i+1], frames[i+1])
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := b.Remove(ctx, refs[0].Volume); err == nil {
		t.Error("Remove does not wait for who reads the volume")
	}
	close(goOn)
	reader.Wait()
	readAll()
	for _, ref := range refs {
		if err := b.Remove(t.Context(), ref.Volume); err != nil {
			t.Errorf("Remove: %v", err)
		}
	}
	if n := b.Known(); n != 0 {
		t.Errorf("%d volumes are known that were removed", n)
	}
}
