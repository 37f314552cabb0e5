package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// A chunkScans is an index that counts the scans of the table of chunks in its snapshots.
type chunkScans struct {
	*index.Memory
	n atomic.Int64
}

func (s *chunkScans) View(ctx context.Context, fn func(index.Reader) error) error {
	return s.Memory.View(ctx, func(r index.Reader) error { return fn(chunkScansReader{r, &s.n}) })
}

type chunkScansReader struct {
	index.Reader
	n *atomic.Int64
}

func (r chunkScansReader) Scan(start, end []byte) iter.Seq2[index.Item, error] {
	if bytes.Equal(start, index.Chunks().Start) {
		r.n.Add(1)
	}
	return r.Reader.Scan(start, end)
}

// Objects of one chunk each, of which a volume holds scansInVolume.
const (
	scansChunk    = 64 << 10
	scansObjects  = 100
	scansTiny     = 100
	scansInVolume = 16
)

// newScans is an engine with volumes in which all lives. Its tiny objects have no chunks.
func newScans(t *testing.T, blobs blob.Store, prepare func(*engine.Engine)) (*engine.Engine, *chunkScans) {
	t.Helper()
	idx := &chunkScans{Memory: index.NewMemory()}
	e, err := engine.OpenStores(t.Context(), idx, blobs, &engine.Options{
		ChunkSize: scansChunk, VolumeSize: scansInVolume * scansChunk,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	mustBucket(t, e, "scans")
	prepare(e)
	for n := range scansObjects {
		mustPut(t, e, engine.PutObjectRequest{Bucket: "scans", Key: fmt.Sprint(n), Body: bytes.NewReader(scansBody(n))})
	}
	for n := range scansTiny {
		mustPut(t, e, engine.PutObjectRequest{Bucket: "scans", Key: fmt.Sprint("tiny-", n), Body: strings.NewReader("tiny")})
	}
	return e, idx
}

func scansBody(n int) []byte { return random(uint64(n), scansChunk) }

// deleteScans deletes objects while nobody reclaims.
func deleteScans(t *testing.T, e *engine.Engine, which func(n int) bool) {
	t.Helper()
	defer engine.TakeTurn(e)()
	for n := range scansObjects {
		if which(n) {
			mustDelete(t, e, "scans", fmt.Sprint(n))
		}
	}
}

// inBackground does what the worker does, and says how many scans there were in all.
func (s *chunkScans) inBackground(t *testing.T, e *engine.Engine) int64 {
	t.Helper()
	if err := engine.ReclaimInBackground(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	return s.n.Load()
}

// TestScansWithoutHoles deletes tiny objects one by one, where volumes have too little dead in them to
// be copied and cannot be trimmed. That must not cost a look at every chunk each time, nor may it
// keep them from being copied when there is enough.
func TestScansWithoutHoles(t *testing.T) {
	e, idx := newScans(t, blob.NewMemory(scansInVolume*scansChunk), engine.WithoutHoles)
	deleteScans(t, e, func(n int) bool { return n%10 < 3 })
	before := len(stats(t, e).Volumes)
	for n := range scansTiny {
		mustDelete(t, e, "scans", fmt.Sprint("tiny-", n))
		idx.inBackground(t, e)
	}
	if n := idx.n.Load(); n > 2 {
		t.Errorf("%d scans of all chunks for %d tiny objects", n, scansTiny)
	}
	deleteScans(t, e, func(n int) bool { return n%20 == 3 })
	if n := idx.inBackground(t, e); n > 2 {
		t.Errorf("%d scans when a little more has died", n)
	}
	if s := stats(t, e); len(s.Volumes) < before {
		t.Fatalf("%d of %d volumes are there: the test has lost its grip", len(s.Volumes), before)
	}
	deleteScans(t, e, func(n int) bool { return n%10 >= 3 && n%10 < 7 && n%20 != 3 })
	idx.inBackground(t, e)
	if s := stats(t, e); s.DeadBytes > s.StoredBytes || len(s.Volumes) >= before {
		t.Errorf("%d of %d volumes are there, with %d bytes that live and %d dead", len(s.Volumes), before, s.StoredBytes, s.DeadBytes)
	}
	checkStore(t, e)
}

// TestReclaimTriesHolesAgain reclaims volumes that could not be trimmed, when they can be.
func TestReclaimTriesHolesAgain(t *testing.T) {
	blobs := &barrenBlobs{Store: blob.NewMemory(scansInVolume * scansChunk)}
	e, idx := newScans(t, blobs, engine.WithoutHoles)
	deleteScans(t, e, func(n int) bool { return n%10 < 3 })
	idx.inBackground(t, e)
	engine.WithHoles(e)
	mustReclaim(t, e)
	if blobs.trims.Load() == 0 {
		t.Error("Reclaim has not tried to trim")
	}
}

// barrenBlobs are volumes in which holes give nothing back.
type barrenBlobs struct {
	blob.Store
	trims atomic.Int64
}

func (b *barrenBlobs) Trim(context.Context, uint64, []blob.Ref) (int64, error) {
	b.trims.Add(1)
	return 0, nil
}

// TestScansBesideUpload has a slow upload count on a chunk in a volume with enough dead in it. While
// nothing changes, that must not cost a look at every chunk each time; when the upload is over, the
// volume is looked at once more.
func TestScansBesideUpload(t *testing.T) {
	for _, test := range []struct {
		name    string
		blobs   blob.Store
		prepare func(*engine.Engine)
		dead    int  // of ten objects
		again   bool // when the upload is over
	}{
		{"to be trimmed", &barrenBlobs{Store: blob.NewMemory(scansInVolume * scansChunk)}, func(*engine.Engine) {}, 3, true},
		{"to be copied", &barrenBlobs{Store: blob.NewMemory(scansInVolume * scansChunk)}, func(*engine.Engine) {}, 6, true},
		{"to be copied, without holes", blob.NewMemory(scansInVolume * scansChunk), engine.WithoutHoles, 6, true},
		{"neither", blob.NewMemory(scansInVolume * scansChunk), engine.WithoutHoles, 3, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			blobs := &slowBlobs{Store: test.blobs}
			e, idx := newScans(t, blobs, test.prepare)
			var begun atomic.Bool // for the first, and no copy
			blocked, goOn := make(chan struct{}), make(chan struct{})
			blobs.stored = func(blob.Ref) {
				if !begun.Swap(true) {
					close(blocked)
					<-goOn
				}
			}
			id := mustInitiate(t, e, "scans", "slow", "")
			done := make(chan error, 1)
			go func() { // of a chunk that is there, and one that is not
				_, err := e.UploadPart(context.Background(), &engine.UploadPartRequest{
					Bucket: "scans", Key: "slow", UploadID: id, PartNumber: 1,
					Body: bytes.NewReader(append(scansBody(9), random(1000, scansChunk)...)),
				})
				done <- err
			}()
			<-blocked
			if !eventually(func() bool { return len(e.PinnedIn()) > 0 }) {
				t.Fatal("the chunk that is there was not found")
			}
			deleteScans(t, e, func(n int) bool { return n%10 < test.dead })
			idx.n.Store(0)
			for range 20 {
				idx.inBackground(t, e)
			}
			// Of copies of other volumes some may be merged or be worth copying.
			if n := idx.n.Load(); n > 3 {
				t.Errorf("%d scans of all chunks while nothing changed", n)
			}
			idx.n.Store(0)
			close(goOn)
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			checkLeftovers(t, e)
			if n := idx.inBackground(t, e); (n > 0) != test.again {
				t.Errorf("%d scans when the upload is over", n)
			}
		})
	}
}
