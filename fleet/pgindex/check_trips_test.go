package pgindex_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/gabion-storage/gabion/engine"
)

// TestCheckTakesFewRoundTrips checks many small objects, some of which have chunks and some of which
// are deleted and still open, and uploads: that takes a small share of a round trip for each.
func TestCheckTakesFewRoundTrips(t *testing.T) {
	e, _, n, _ := tracedEngine(t, "", "")
	const objects, discarded, uploads = 200, 60, 40
	var working sync.WaitGroup
	for worker := range 8 {
		working.Go(func() {
			for i := worker; i < objects; i += 8 {
				putTrip(t, e, fmt.Sprintf("object-%03d", i), i)
			}
			for i := worker; i < discarded; i += 8 {
				key := fmt.Sprintf("discarded-%03d", i)
				putTrip(t, e, key, i)
				obj, err := e.GetObject(t.Context(), &engine.GetObjectRequest{Bucket: "bucket", Key: key})
				if err != nil {
					t.Error(err)
					return
				}
				t.Cleanup(func() { _ = obj.Close() }) // till then its content is not swept
				if _, err := e.DeleteObject(t.Context(), &engine.DeleteObjectRequest{Bucket: "bucket", Key: key}); err != nil {
					t.Error(err)
				}
			}
			for i := worker; i < uploads; i += 8 {
				up, err := e.InitiateMultipartUpload(t.Context(), &engine.InitiateMultipartUploadRequest{Bucket: "bucket", Key: "key"})
				if err != nil {
					t.Error(err)
					return
				}
				uploadTrip(t, e, up.UploadID, 1, tripBody(byte(i)))
			}
		})
	}
	working.Wait()
	for _, data := range []bool{false, true} {
		before := n.all.Load()
		res, err := e.Check(t.Context(), &engine.CheckRequest{Data: data})
		if err != nil || len(res.Problems) > 0 || res.Objects != objects || res.Uploads != uploads+1 {
			t.Fatalf("Check: %+v, %v", res, err)
		}
		// Some 40 for all tables, of which each takes one at least.
		if got := n.all.Load() - before; got > 80 {
			t.Errorf("Check with Data %t takes %d round trips", data, got)
		} else {
			t.Logf("Check with Data %t: %d", data, got)
		}
	}
}

// putTrip stores an object, every fourth of which does not fit into the index.
func putTrip(t *testing.T, e *engine.Engine, key string, i int) {
	body := make([]byte, 100)
	if i%4 == 0 {
		body = make([]byte, 40<<10)
	}
	_, _ = rand.NewChaCha8([32]byte{byte(i), byte(i >> 8), 1}).Read(body)
	_, err := e.PutObject(t.Context(), &engine.PutObjectRequest{Bucket: "bucket", Key: key, Body: bytes.NewReader(body)})
	if err != nil {
		t.Error(err)
	}
}
