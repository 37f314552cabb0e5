package engine_test

import (
	"bytes"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/indextest"
)

// TestCallsOverRehearsedIndex has what calls count and keep beside their transactions right when
// every function runs twice, the first time in vain. TestModel does so with what they store.
func TestCallsOverRehearsedIndex(t *testing.T) {
	ring := keys(t)
	e := openStores(t, indextest.Rehearsed(index.NewMemory()), blob.NewMemory(0), &engine.Options{
		ChunkSize: 4 << 10, Keys: ring,
	})
	mustBucket(t, e, "bucket")
	t.Run("CreateBucket says that there is none", func(t *testing.T) {
		res, err := e.CreateBucket(t.Context(), &engine.CreateBucketRequest{Bucket: "other", IfAbsent: true})
		if err != nil || res.Existed {
			t.Errorf("%+v, %v", res, err)
		}
	})
	t.Run("Expire counts each upload once", func(t *testing.T) {
		for i := range 3 {
			mustInitiate(t, e, "bucket", strconv.Itoa(i), "")
		}
		res, err := e.Expire(t.Context(), &engine.ExpireRequest{Before: time.Now().Add(time.Hour)})
		if err != nil || res.Uploads != 3 {
			t.Errorf("%+v, %v, want 3 uploads", res, err)
		}
	})
	t.Run("RotateKeys counts each key once", func(t *testing.T) {
		for i := range 3 {
			mustObject(t, e, "bucket", strconv.Itoa(i), "AES256", random(uint64(i), 50_000))
		}
		if _, err := ring.Rotate(); err != nil {
			t.Fatal(err)
		}
		if n := mustRotateKeys(t, e); n != 3 {
			t.Errorf("%d keys are wrapped anew, want 3", n)
		}
	})
	t.Run("a part of several pages that fails leaves nothing", func(t *testing.T) {
		id := mustInitiate(t, e, "bucket", "large", "")
		before := tallyOf(t, e)
		body := random(9, (2*index.MaxPageChunks+5)*4<<10)
		_, err := e.UploadPart(t.Context(), &engine.UploadPartRequest{
			Bucket: "bucket", Key: "large", UploadID: id, PartNumber: 1,
			Body: bytes.NewReader(body), ContentMD5: "1B2M2Y8AsgTpgAmY7PhCfg==",
		})
		if !errors.Is(err, engine.ErrInvalidDigest) {
			t.Fatalf("UploadPart: %v, want ErrInvalidDigest", err)
		}
		if got, want := tallyOf(t, e), before; got != want {
			t.Errorf("after a Reclaim there is %+v, want %+v", got, want)
		}
	})
}
