package pgindex_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gabion-storage/gabion/engine"
)

// TestSweepTakesFewRoundTrips deletes an object of 64 chunks in two parts, and sweeps it. While it is
// swept the other nodes wait, so its chunks must not take a round trip each.
func TestSweepTakesFewRoundTrips(t *testing.T) {
	untilRight(t, func() error { return sweepTrips(t) })
}

// sweepTrips says whether deleting and sweeping take more round trips than they should.
func sweepTrips(t *testing.T) error {
	e, _, n, id := tracedEngine(t, "", "")
	for i := range 2 {
		body := make([]byte, 32*tripChunk)
		_, _ = rand.NewChaCha8([32]byte{byte(i), 7}).Read(body)
		uploadTrip(t, e, id, i+1, body)
	}
	at := engine.CompleteMultipartUploadRequest{
		Bucket: "bucket", Key: "key", UploadID: id, All: true,
	}
	_, completed := e.CompleteMultipartUpload(t.Context(), &at)
	before := n.turns.Load()
	_, deleted := e.DeleteObject(
		t.Context(), &engine.DeleteObjectRequest{Bucket: at.Bucket, Key: at.Key},
	)
	res, reclaimed := e.Reclaim(t.Context(), &engine.ReclaimRequest{})
	if err := errors.Join(completed, deleted, reclaimed); err != nil {
		t.Fatal(err)
	}
	const most = 12 // some 3 of which delete, and 5 sweep
	if got := n.turns.Load() - before; got > most {
		return fmt.Errorf("%d chunks take %d round trips, want at most %d", res.Chunks, got, most)
	} else {
		t.Logf("%d chunks: %d", res.Chunks, got)
	}
	return nil
}
