package engine_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"sync/atomic"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// A fullStore says that it has no space when it is told to.
type fullStore struct {
	*blob.Memory
	full atomic.Bool
}

func (s *fullStore) Free() (int64, error) {
	if s.full.Load() {
		return 0, nil
	}
	return s.Memory.Free()
}

// TestMergeOnAFullDisk has so many chunks in small volumes that they cannot be planned at once, and no
// space to merge any. Reclaim returns all the same.
func TestMergeOnAFullDisk(t *testing.T) {
	const volumes, chunks = 20, 10 // of volumes, which are small, and of each
	blobs := &fullStore{Memory: blob.NewMemory(0)}
	e, err := engine.OpenStores(t.Context(), index.NewMemory(), blobs, &engine.Options{ChunkSize: 4 << 10, VolumeSize: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	engine.StopSweeper(e)
	engine.PlanAtMost(e, volumes*chunks/2)
	mustBucket(t, e, "bucket")
	for n := range volumes {
		body := make([]byte, chunks*4<<10)
		for i := range chunks {
			binary.BigEndian.PutUint32(body[i*4<<10:], uint32(n*chunks+i+1))
		}
		mustPut(t, e, engine.PutObjectRequest{Bucket: "bucket", Key: string(rune('a' + n)), Body: bytes.NewReader(body)})
		all, err := blobs.Volumes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range all {
			if err := blobs.Seal(t.Context(), v.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	blobs.full.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := e.Reclaim(ctx, nil); err != nil {
		t.Errorf("Reclaim: %v", err)
	}
	blobs.full.Store(false)
	mustReclaim(t, e)
	if left := len(stats(t, e).Volumes); left > 16 {
		t.Errorf("%d of %d small volumes are left where there is space", left, volumes)
	}
}
