package oss_test

import (
	"bytes"
	"context"
	"sync/atomic"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/internal/clients"
	"github.com/gabion-storage/gabion/index"
)

// bucketReads counts how often the record of a bucket is read outside of transactions: where the
// index is far away, each is a round trip.
type bucketReads struct {
	*index.Memory
	bucket string
	n      atomic.Int64
}

func (i *bucketReads) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	for _, key := range keys {
		if bytes.Equal(key, index.BucketKey(i.bucket)) {
			i.n.Add(1)
		}
	}
	return i.Memory.Get(ctx, keys...)
}

// TestAWriteReadsItsBucketOnce holds that a write asks for its bucket once, and not once more for
// the storage class of objects whose request names none.
func TestAWriteReadsItsBucketOnce(t *testing.T) {
	idx := &bucketReads{Memory: index.NewMemory(), bucket: "bucket"}
	e, err := engine.OpenStores(t.Context(), idx, blob.NewMemory(0), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { clients.CheckAndClose(t, e) })
	h := anonymous(e)
	play(t, h, []exchange{
		{"PUT /bucket", "<CreateBucketConfiguration><StorageClass>IA</StorageClass></CreateBucketConfiguration>", 200, ""},
		{"PUT /other", "", 200, ""},
		{"PUT /other/source", "source", 200, ""},
	})
	for request, body := range map[string]string{
		"PUT /bucket/put": "content",
		"PUT /bucket/copy\nX-Oss-Copy-Source: /other/source":  "",
		"POST /bucket/upload?uploads":                         "",
		"PUT /bucket/standard\nX-Oss-Storage-Class: Standard": "content",
	} {
		idx.n.Store(0)
		if res, said := send(t, h, request, body); res.StatusCode != 200 {
			t.Errorf("%s: %d %s", request, res.StatusCode, said)
		}
		if n := idx.n.Load(); n != 1 {
			t.Errorf("%s has read its bucket %d times, want once", request, n)
		}
	}
	play(t, h, []exchange{
		{"HEAD /bucket/put", "", 200, "X-Oss-Storage-Class: IA"},
		{"HEAD /bucket/copy", "", 200, "X-Oss-Storage-Class: IA"},
		{"GET /bucket?uploads", "", 200, "<StorageClass>IA</StorageClass>"},
		{"HEAD /bucket/standard", "", 200, "X-Oss-Storage-Class: Standard"},
	})
}

// TestIfRange goes on with an object only if it is still the one that a client has the beginning of, and
// else answers with all of it.
func TestIfRange(t *testing.T) {
	h := anonymous(memoryEngine(t))
	play(t, h, []exchange{{"PUT /bucket", "", 200, ""}, {"PUT /bucket/key", "content", 200, ""}})
	res, _ := send(t, h, "HEAD /bucket/key", "")
	const etag, stale = `"9A0364B9E99BB480DD25E1F0284C8555"`, `"FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"`
	const partial, whole = "Content-Length: 4\ntent", "Content-Length: 7\ncontent"
	play(t, h, []exchange{
		{"GET /bucket/key\nRange: bytes=3-\nIf-Range: " + etag, "", 206, partial},
		{"GET /bucket/key\nRange: bytes=3-\nIf-Range: " + stale, "", 200, whole},
		{"GET /bucket/key\nRange: bytes=3-\nIf-Range: W/" + etag, "", 200, whole},
		{"GET /bucket/key\nRange: bytes=3-\nIf-Range: " + res.Header.Get("Last-Modified"), "", 206, partial},
		{"GET /bucket/key\nRange: bytes=3-\nIf-Range: Mon, 02 Jan 2006 15:04:05 GMT", "", 200, whole},
		{"GET /bucket/key\nRange: bytes=9-\nX-Oss-Range-Behavior: standard\nIf-Range: " + stale, "", 200, whole},
		{"GET /bucket/key\nRange: bytes=9-\nX-Oss-Range-Behavior: standard\nIf-Range: " + etag, "", 416, "<Code>InvalidRange</Code>"},
		{"GET /bucket/key\nRange: bytes=3-\nIf-Range: " + stale + "\nIf-Match: " + stale, "", 412, ""},
	})
}
