package engine_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// unreachableBlobs are chunks whose server cannot be reached.
type unreachableBlobs struct {
	*blob.Memory
	gone bool
}

func (b *unreachableBlobs) Get(ctx context.Context, ref blob.Ref, buf []byte) ([]byte, error) {
	if b.gone {
		return nil, blob.ErrUnavailable
	}
	return b.Memory.Get(ctx, ref, buf)
}

// TestCheckUnreachable checks a store while its chunks cannot be read. That says nothing of what is
// stored: it is an error of the call, and no data is lost.
func TestCheckUnreachable(t *testing.T) {
	blobs := &unreachableBlobs{Memory: blob.NewMemory(0)}
	e := openStores(t, index.NewMemory(), blobs, &engine.Options{ChunkSize: 4 << 10})
	mustObject(t, e, "bucket", "key", "", random(1, 100<<10))
	blobs.gone = true
	res, err := e.Check(t.Context(), &engine.CheckRequest{Data: true})
	if !errors.Is(err, engine.ErrUnavailable) {
		t.Errorf("Check: %+v, %v, want ErrUnavailable", res, err)
	}
	blobs.gone = false
	if res, err = e.Check(t.Context(), &engine.CheckRequest{Data: true}); err != nil || len(res.Problems) > 0 {
		t.Errorf("Check when they can be reached again: %+v, %v", res, err)
	}
}

// A shortage has one read of a store fail, since the process has no file handles left.
type shortage struct {
	reads  atomic.Int64
	failAt atomic.Int64 // 0 is never
	err    error
}

func (s *shortage) hits() bool { return s.reads.Add(1) == s.failAt.Load() }

func (s *shortage) arm(k int64) {
	s.reads.Store(0)
	s.failAt.Store(k)
}

type shortBlobs struct {
	*blob.Memory
	*shortage
}

func (b shortBlobs) Get(ctx context.Context, ref blob.Ref, buf []byte) ([]byte, error) {
	if b.hits() {
		return nil, b.err
	}
	return b.Memory.Get(ctx, ref, buf)
}

type shortIndex struct {
	*index.Memory
	*shortage
}

func (s shortIndex) View(ctx context.Context, fn func(index.Reader) error) error {
	return s.Memory.View(ctx, func(r index.Reader) error { return fn(shortReader{r, s.shortage}) })
}

type shortReader struct {
	index.Reader
	*shortage
}

func (r shortReader) Get(key []byte) ([]byte, error) {
	if r.hits() {
		return nil, r.err
	}
	return r.Reader.Get(key)
}

func (r shortReader) Scan(start, end []byte) iter.Seq2[index.Item, error] {
	return func(yield func(index.Item, error) bool) {
		if r.hits() {
			yield(index.Item{}, r.err)
			return
		}
		for item, err := range r.Reader.Scan(start, end) {
			if !yield(item, err) {
				return
			}
		}
	}
}

// TestCheckShortOfHandles has the first, the second, the third ... read of a check fail for reasons
// of the process. None of them says anything of what is stored: the check fails, or gets through,
// and finds what is damaged and nothing else.
func TestCheckShortOfHandles(t *testing.T) {
	for _, cause := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EAGAIN} {
		t.Run(cause.Error(), func(t *testing.T) { checkShort(t, cause) })
	}
}

func checkShort(t *testing.T, cause error) {
	s := &shortage{err: fmt.Errorf("blob: reading volume 1: %w", cause)}
	idx, blobs := shortIndex{index.NewMemory(), s}, shortBlobs{blob.NewMemory(0), s}
	e, err := engine.OpenStores(t.Context(), idx, blobs, &engine.Options{ChunkSize: 32 << 10, Keys: keys(t), AuthenticateRecords: true})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	furnish(t, e)
	failed := int64(0)
	for k := int64(1); ; k++ {
		s.arm(k)
		res, err := e.Check(t.Context(), &engine.CheckRequest{Data: true})
		reached := s.reads.Load() >= k
		s.arm(0)
		switch {
		case err != nil && !errors.Is(err, cause):
			t.Fatalf("read %d failed, and Check with %v", k, err)
		case err != nil:
			failed++
		case len(res.Problems) > 0:
			t.Fatalf("read %d failed, and Check says %v", k, res.Problems)
		}
		if !reached {
			break
		}
	}
	if failed < 100 {
		t.Errorf("only %d reads failed: the test has lost its grip", failed)
	}
}
