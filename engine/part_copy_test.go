package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// A largeIndex says, when it is large, that to compact it takes more than an eighth of what is free.
type largeIndex struct {
	*index.Memory
	large atomic.Bool
}

func (s *largeIndex) Free() (int64, error) { return 1 << 40, nil }

func (s *largeIndex) Usage(ctx context.Context) (index.Usage, error) {
	u, err := s.Memory.Usage(ctx)
	if s.large.Load() {
		u.CompactBytes = 1 << 38
	}
	return u, err
}

// TestPartCopySmall copies small objects as parts. Their bodies are in the index as long as that is
// small; in a large index copies do not put any more of them.
func TestPartCopySmall(t *testing.T) {
	idx := &largeIndex{Memory: index.NewMemory()}
	e, err := engine.OpenStores(t.Context(), idx, blob.NewMemory(0), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		checkStore(t, e)
		e.Close()
	})
	mustBucket(t, e, "bucket")
	body := random(1, 1000)
	mustPut(t, e, engine.PutObjectRequest{Bucket: "bucket", Key: "source", Body: bytes.NewReader(body)})
	id := mustInitiate(t, e, "bucket", "copy", "")
	copyTo := func(number int) {
		t.Helper()
		res, err := e.UploadPartCopy(t.Context(), &engine.UploadPartCopyRequest{
			Bucket: "bucket", Key: "copy", UploadID: id, PartNumber: number, SourceBucket: "bucket", SourceKey: "source",
		})
		if err != nil {
			t.Fatal(err)
		}
		if res.ETag != md5ETag(body) || res.Size != int64(len(body)) || res.CRC64 != crc64Of(body) {
			t.Errorf("the part is %+v", res)
		}
	}
	copyTo(1)
	before := stats(t, e)
	if before.InlineBytes < 2*1000 || before.Chunks != 0 {
		t.Fatalf("the store holds %+v", before)
	}
	idx.large.Store(true)
	for n := range 300 { // calls, after some of which the index is asked how large it is
		mustBucket(t, e, fmt.Sprint("bucket-", n%2))
	}
	for number := 2; number < 10; number++ {
		copyTo(number)
	}
	if after := stats(t, e); after.InlineBytes != before.InlineBytes || after.Chunks != 1 || after.References != 8 {
		t.Errorf("the store holds %+v, held %+v", after, before)
	}
	idx.large.Store(false)
	for n := range 300 {
		mustBucket(t, e, fmt.Sprint("bucket-", n%2))
	}
	copyTo(10)
	if after := stats(t, e); after.InlineBytes <= before.InlineBytes || after.Chunks != 1 {
		t.Errorf("the store holds %+v, held %+v", after, before)
	}
}
