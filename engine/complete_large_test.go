package engine_test

import (
	"fmt"
	"testing"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// largeUpload begins an encrypted upload of as many parts as there can be, with the largest
// checksums. It has their records alone.
func largeUpload(tb testing.TB, e *engine.Engine) (id string, list []engine.CompletedPart) {
	tb.Helper()
	mustBucket(tb, e, "bucket")
	up, err := e.InitiateMultipartUpload(tb.Context(), &engine.InitiateMultipartUploadRequest{
		Bucket: "bucket", Key: "key", EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "AES256"}, Checksum: engine.Checksum{Algorithm: "SHA256"},
	})
	if err != nil {
		tb.Fatal(err)
	}
	content, _ := index.ParseContentID(up.UploadID)
	const atOnce = 2000 // in one transaction
	for from := 1; from <= engine.MaxPartNumber; from += atOnce {
		err := engine.PutParts(tb.Context(), e, "bucket", "key", content, from, from+atOnce-1)
		if err != nil {
			tb.Fatal(err)
		}
	}
	for n := 1; n <= engine.MaxPartNumber; n++ {
		list = append(list, engine.CompletedPart{PartNumber: n, ETag: fmt.Sprintf("%032X", n)})
	}
	return up.UploadID, list
}

// TestCompleteLarge completes an upload of as many parts as there can be, of which it takes all,
// most, about half or few: whichever group is moved, the transaction is not too large.
func TestCompleteLarge(t *testing.T) {
	t.Parallel()
	for _, listed := range []int{10_000, 9000, 5500, 5000, 4500, 1000} {
		e, _ := memoryStore(t, &engine.Options{Keys: keys(t), AuthenticateRecords: true})
		id, list := largeUpload(t, e)
		res := mustComplete(t, e, "bucket", "key", id, list[:listed]...)
		if got := head(t, e, "bucket", "key"); got.Parts != listed || got.ETag != res.ETag {
			t.Errorf("%d parts listed: the object has %d", listed, got.Parts)
		}
	}
}

// BenchmarkCompleteLarge completes an encrypted upload of as many parts as there can be.
func BenchmarkCompleteLarge(b *testing.B) {
	e, err := engine.Open(b.Context(), b.TempDir(), &engine.Options{Keys: keys(b)})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	for b.Loop() {
		b.StopTimer()
		id, list := largeUpload(b, e)
		b.StartTimer()
		mustComplete(b, e, "bucket", "key", id, list...)
	}
}
