package engine_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// promptedIndex calls a function before each Get, which may fail it.
type promptedIndex struct {
	index.Store
	before func(keys [][]byte) error
}

func (s *promptedIndex) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	if s.before != nil {
		if err := s.before(keys); err != nil {
			return nil, err
		}
	}
	return s.Store.Get(ctx, keys...)
}

func promptedStore(t *testing.T, o *engine.Options) (*engine.Engine, *promptedIndex) {
	t.Helper()
	idx := &promptedIndex{Store: index.NewMemory()}
	e, err := engine.OpenStores(t.Context(), idx, blob.NewMemory(0), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mustClose(t, e) })
	return e, idx
}

// TestSequentialBesideThePartBefore begins a part of a sequential upload while the one before it is
// committed, between any two looks into the index. What the upload says and which parts it has are
// of one moment: else the part would go on with the MD5 of fewer parts than are before it.
func TestSequentialBesideThePartBefore(t *testing.T) {
	bodies := [][]byte{random(1, minPart), random(2, minPart+1), random(3, 64)}
	for _, sse := range []string{"", "AES256"} {
		for look := 0; ; look++ {
			e, idx := promptedStore(t, &engine.Options{Keys: keys(t)})
			id := mustSequential(t, e, "key", sse)
			mustPart(t, e, "bucket", "key", id, 1, bodies[0])
			looks := 0
			idx.before = func([][]byte) error {
				if looks++; looks-1 == look {
					idx.before = nil
					mustPart(t, e, "bucket", "key", id, 2, bodies[1])
				}
				return nil
			}
			_, err := e.UploadPart(t.Context(), &engine.UploadPartRequest{
				Bucket: "bucket", Key: "key", UploadID: id, PartNumber: 3, Body: bytes.NewReader(bodies[2]),
			})
			if met := idx.before == nil; !met {
				if look < 2 || !errors.Is(err, engine.ErrPartNotSequential) {
					t.Errorf("after %d looks: %v", look, err)
				}
				break
			}
			if errors.Is(err, engine.ErrPartNotSequential) {
				mustPart(t, e, "bucket", "key", id, 3, bodies[2])
			} else if err != nil {
				t.Errorf("%s: part 3, part 2 having come before look %d: %v", orElse(sse, "plain"), look, err)
				continue
			}
			mustComplete(t, e, "bucket", "key", id)
			if got, want := head(t, e, "bucket", "key").ContentMD5, base64MD5(slices.Concat(bodies...)); got != want {
				t.Errorf("%s: part 2 having come before look %d the MD5 is %s, want %s", orElse(sse, "plain"), look, got, want)
			}
		}
	}
}

// TestCompleteWithoutALook completes an encrypted upload while the index cannot be read once. That
// is no damage, and the next try succeeds.
func TestCompleteWithoutALook(t *testing.T) {
	e, idx := promptedStore(t, &engine.Options{Keys: keys(t)})
	id := mustInitiate(t, e, "bucket", "key", "AES256")
	mustPart(t, e, "bucket", "key", id, 1, random(1, minPart))
	unreachable := errors.New("the index cannot be reached")
	idx.before = func([][]byte) error { return unreachable }
	_, err := e.CompleteMultipartUpload(t.Context(), &engine.CompleteMultipartUploadRequest{
		Bucket: "bucket", Key: "key", UploadID: id, All: true,
	})
	if corrupt := (*engine.CorruptionError)(nil); !errors.Is(err, unreachable) || errors.As(err, &corrupt) {
		t.Errorf("CompleteMultipartUpload: %v, want that %v", err, unreachable)
	}
	idx.before = nil
	mustComplete(t, e, "bucket", "key", id)
}
