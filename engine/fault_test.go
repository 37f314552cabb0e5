package engine_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
)

// TestFaults has the first, second, third ... operation on the stores fail, until a history of
// every mutation gets through: once with an error of that one operation, after which the same
// engine must go on, and once with the power, after which a new one must. The call that was hit is
// made again and must succeed; at the end everything is as if nothing had failed, and deleting it
// leaves nothing.
func TestFaults(t *testing.T) {
	t.Parallel()
	for name, once := range map[string]bool{"one error": true, "power": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ring := keys(t)
			for at := 1; ; at++ {
				f := newFaultRun(t, ring, at, once, 16<<10)
				f.history()
				if t.Failed() {
					t.Fatalf("operation %d failed", at)
				}
				if !f.power.reached() {
					if at < 50 {
						t.Errorf("the history took only %d operations: the test has lost its grip", at)
					}
					return
				}
			}
		})
	}
}

const faultBucket = "fault"

// A faultRun is one history on a pair of stores.
type faultRun struct {
	*fragileStores
	t    *testing.T
	e    *engine.Engine
	keys *crypto.Keyring
	now  time.Time

	chunkSize int
}

func newFaultRun(t *testing.T, ring *crypto.Keyring, at int, once bool, chunkSize int) *faultRun {
	f := &faultRun{fragileStores: newFragileStores(200_000, nil), t: t, keys: ring, now: time.Now(), chunkSize: chunkSize}
	f.power.cutAt, f.power.once = at, once
	f.start()
	return f
}

func (f *faultRun) start() {
	f.t.Helper()
	f.e = f.open(f.t, &engine.Options{ChunkSize: f.chunkSize, MemoryBudget: 4 * int64(f.chunkSize), Keys: f.keys, Clock: func() time.Time { return f.now }})
}

// must makes a call, again if a fault has hit it.
func (f *faultRun) must(what string, call func() error) {
	f.t.Helper()
	err := call()
	if errors.Is(err, errPower) {
		f.recover()
		checkStore(f.t, f.e)
		err = call()
	}
	if err != nil {
		f.t.Fatalf("%s: %v", what, err)
	}
}

// recover opens the stores again if the power went off. It may have done so in the background.
func (f *faultRun) recover() {
	f.t.Helper()
	if f.power.state() == nil {
		return
	}
	if err := f.e.Close(); err != nil {
		f.t.Errorf("Close without power: %v", err)
	}
	f.power.restore()
	f.start()
}

// put uploads an object of these parts, each under its number.
func (f *faultRun) put(key string, parts ...[]byte) {
	f.t.Helper()
	f.complete(key, f.upload(key, parts...))
}

func (f *faultRun) complete(key, id string) {
	f.t.Helper()
	f.must("CompleteMultipartUpload", func() error {
		_, err := f.e.CompleteMultipartUpload(context.Background(), &engine.CompleteMultipartUploadRequest{
			Bucket: faultBucket, Key: key, UploadID: id, All: true,
		})
		return err
	})
}

func (f *faultRun) upload(key string, parts ...[]byte) (id string) {
	f.t.Helper()
	f.must("InitiateMultipartUpload", func() error {
		up, err := f.e.InitiateMultipartUpload(context.Background(), &engine.InitiateMultipartUploadRequest{Bucket: faultBucket, Key: key})
		if err == nil {
			id = up.UploadID
		}
		return err
	})
	for i, body := range parts {
		f.must("UploadPart", func() error {
			_, err := f.e.UploadPart(context.Background(), &engine.UploadPartRequest{
				Bucket: faultBucket, Key: key, UploadID: id, PartNumber: i + 1, Body: bytes.NewReader(body),
			})
			return err
		})
	}
	return id
}

func (f *faultRun) putObject(key string, body []byte) {
	f.t.Helper()
	f.must("PutObject", func() error {
		_, err := f.e.PutObject(context.Background(), &engine.PutObjectRequest{Bucket: faultBucket, Key: key, Body: bytes.NewReader(body)})
		return err
	})
}

func (f *faultRun) copyObject(from, to, sse string) {
	f.t.Helper()
	f.must("CopyObject", func() error {
		_, err := f.e.CopyObject(context.Background(), &engine.CopyObjectRequest{
			Bucket: faultBucket, Key: to, SourceBucket: faultBucket, SourceKey: from, EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm(sse)},
		})
		return err
	})
}

// copyParts uploads an object whose parts are copies: of a whole object, and of a range.
func (f *faultRun) copyParts(from, key string) {
	f.t.Helper()
	id := f.upload(key)
	for n, rng := range []string{"", "bytes=10-109"} {
		f.must("UploadPartCopy", func() error {
			_, err := f.e.UploadPartCopy(context.Background(), &engine.UploadPartCopyRequest{
				Bucket: faultBucket, Key: key, UploadID: id, PartNumber: n + 1, SourceBucket: faultBucket, SourceKey: from, SourceRange: rng,
			})
			return err
		})
	}
	f.complete(key, id)
}

// wantObject reads an object back.
func (f *faultRun) wantObject(key string, want []byte) {
	f.t.Helper()
	f.must("GetObject", func() error {
		obj, err := f.e.GetObject(context.Background(), &engine.GetObjectRequest{Bucket: faultBucket, Key: key})
		if err != nil {
			return err
		}
		defer obj.Close()
		got, err := io.ReadAll(obj)
		if err == nil && !bytes.Equal(got, want) {
			f.t.Errorf("object %s reads back wrong", key)
		}
		return err
	})
}

func (f *faultRun) delete(key string) {
	f.t.Helper()
	f.must("DeleteObject", func() error {
		_, err := f.e.DeleteObject(context.Background(), &engine.DeleteObjectRequest{Bucket: faultBucket, Key: key})
		return err
	})
}

func (f *faultRun) reclaim() {
	f.t.Helper()
	f.must("Reclaim", func() error {
		_, err := f.e.Reclaim(context.Background(), &engine.ReclaimRequest{})
		return err
	})
}

// history is every mutation, and the comparison at the end.
func (f *faultRun) history() {
	t, ctx := f.t, context.Background()
	defer func() {
		if err := f.e.Close(); err != nil {
			t.Error(err)
		}
	}()
	f.must("CreateBucket", func() error {
		_, err := f.e.CreateBucket(ctx, &engine.CreateBucketRequest{Bucket: faultBucket})
		return err
	})
	one, two := random(1, 110_000), random(2, 50_000)
	f.put("stays", one, one, two) // the second part repeats the first
	f.put("goes", random(3, 110_000), two)
	f.put("changes", random(4, 60_000))
	f.put("changes", two)
	doomed := f.upload("doomed", random(5, 60_000))
	f.must("AbortMultipartUpload", func() error {
		_, err := f.e.AbortMultipartUpload(ctx, &engine.AbortMultipartUploadRequest{Bucket: faultBucket, Key: "doomed", UploadID: doomed})
		return err
	})
	small, large := random(7, 1000), random(8, 110_000)
	f.putObject("small", small)
	f.putObject("large", large)
	f.copyObject("large", "shared", "")
	f.copyObject("small", "sealed", "AES256")
	f.copyObject("stays", "sealed parts", "AES256")
	f.copyParts("shared", "parts")
	f.delete("large")
	f.delete("goes")
	f.reclaim() // which copies what shares volumes with what went
	f.upload("idle", random(6, 60_000))
	f.must("Expire", func() error {
		_, err := f.e.Expire(ctx, &engine.ExpireRequest{Before: f.now.Add(time.Hour)})
		return err
	})

	stays := slices.Concat(one, one, two)
	for key, want := range map[string][]byte{
		"stays": stays, "changes": two, "small": small, "shared": large, "sealed": small, "sealed parts": stays, "parts": slices.Concat(large, large[10:110]),
	} {
		f.wantObject(key, want)
		f.delete(key)
	}
	f.must("DeleteBucket", func() error {
		_, err := f.e.DeleteBucket(ctx, &engine.DeleteBucketRequest{Bucket: faultBucket})
		return err
	})
	f.reclaim()
	f.recover()
	f.power.disarm()
	f.reclaim() // again, since the operation that fails may have been one of the background
	if left := tallyOf(t, f.e); left != (tally{}) {
		t.Errorf("left is %+v", left)
	}
	for _, v := range stats(t, f.e).Volumes {
		t.Errorf("left is volume %+v", v)
	}
}
