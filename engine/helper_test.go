package engine_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/internal/enginetest"
)

// patience is how long tests wait for what must come about some time. Nothing is measured by it, and
// a test that passes does not wait for as long, so it is enough for a machine with much else to do.
const patience = time.Minute

// The stores that the running test has open, and the goroutines from before the first.
var opened struct {
	warmUp sync.Once
	stores int
	before int // goroutines
	files  int // open file handles
}

// open opens the store in dir. The test's cleanup closes it, unless the test did, and checks that
// no chunk is pinned and no buffer out any more, and that no more goroutines run and no more files
// are open than before the test's first open. So only tests without it run in parallel, when all
// others have ended.
func open(t testing.TB, dir string, o *engine.Options) *engine.Engine {
	t.Helper()
	t.Setenv("GABION_SERIAL", "1") // which panics in a test that is parallel, or within one
	opened.warmUp.Do(func() {      // libraries start some goroutines once a process
		if e, err := engine.Open(context.Background(), t.TempDir(), nil); err == nil {
			e.Close()
		}
	})
	if opened.stores == 0 {
		opened.before, opened.files = runtime.NumGoroutine(), openFiles(t)
	}
	e, err := engine.Open(context.Background(), dir, o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	opened.stores++
	t.Cleanup(func() {
		checkStore(t, e)
		if err := e.Close(); err != nil && !errors.Is(err, engine.ErrClosed) {
			t.Errorf("Close: %v", err)
		}
		checkLeftovers(t, e)
		if opened.stores--; opened.stores == 0 {
			checkGoroutines(t, opened.before)
			if left := openFiles(t); left > opened.files {
				t.Errorf("%d files are open, there were %d before", left, opened.files)
			}
		}
	})
	return e
}

// TestOpenIsSerial opens a store in a test that is parallel: that must not go unnoticed, since what
// runs beside would be counted.
func TestOpenIsSerial(t *testing.T) {
	t.Run("parallel", func(t *testing.T) {
		t.Parallel()
		defer func() {
			if recover() == nil {
				t.Error("open does not panic")
			}
		}()
		openTemp(t, nil)
	})
}

// openFiles counts the process's file handles, where there is a way to.
func openFiles(t testing.TB) int {
	t.Helper()
	handles, err := os.ReadDir("/proc/self/fd")
	if err != nil && runtime.GOOS == "linux" {
		t.Fatal(err)
	}
	return len(handles)
}

// openTemp opens a store in a directory of its own.
func openTemp(t testing.TB, o *engine.Options) *engine.Engine {
	t.Helper()
	return open(t, t.TempDir(), o)
}

// checkLeftovers waits until the parts that were taken in have given everything back.
func checkLeftovers(t testing.TB, e *engine.Engine) {
	t.Helper()
	if !eventually(func() bool { pins, buffers := e.Leftovers(); return pins == 0 && buffers == 0 }) {
		pins, buffers := e.Leftovers()
		t.Errorf("%d chunks are still pinned, %d buffers are out", pins, buffers)
	}
}

// checkGoroutines waits until at most this many goroutines run.
func checkGoroutines(t testing.TB, most int) {
	t.Helper()
	if !eventually(func() bool { return runtime.NumGoroutine() <= most }) {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		t.Errorf("%d goroutines run, there were %d before:\n%s", runtime.NumGoroutine(), most, stacks)
	}
}

// eventually waits, as long as patience lasts, until cond holds.
func eventually(cond func() bool) bool {
	for end := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		if cond() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// keys returns a key ring of its own for the test.
func keys(t testing.TB) *crypto.Keyring {
	t.Helper()
	ring, err := crypto.CreateKeyring(filepath.Join(t.TempDir(), "keyring"))
	if err != nil {
		t.Fatalf("CreateKeyring: %v", err)
	}
	return ring
}

// keysAt opens the key ring at path, or makes it.
func keysAt(path string) (*crypto.Keyring, error) {
	ring, err := crypto.OpenKeyring(path)
	if errors.Is(err, fs.ErrNotExist) {
		return crypto.CreateKeyring(path)
	}
	return ring, err
}

// mustBucket makes a bucket if there is none.
func mustBucket(t testing.TB, e *engine.Engine, bucket string) {
	t.Helper()
	_, err := e.CreateBucket(context.Background(), &engine.CreateBucketRequest{Bucket: bucket})
	if err != nil && !errors.Is(err, engine.ErrBucketAlreadyExists) {
		t.Fatalf("CreateBucket: %v", err)
	}
}

// mustInitiate begins an upload and returns its id. It makes the bucket if there is none. sse is
// the ServerSideEncryption.
func mustInitiate(t testing.TB, e *engine.Engine, bucket, key, sse string) string {
	t.Helper()
	mustBucket(t, e, bucket)
	res, err := e.InitiateMultipartUpload(context.Background(), &engine.InitiateMultipartUploadRequest{
		Bucket: bucket, Key: key, EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm(sse)},
	})
	if err != nil {
		t.Fatalf("InitiateMultipartUpload: %v", err)
	}
	return res.UploadID
}

// mustPart uploads one part.
func mustPart(t testing.TB, e *engine.Engine, bucket, key, id string, n int, body []byte) *engine.UploadPartResult {
	t.Helper()
	res, err := e.UploadPart(context.Background(), &engine.UploadPartRequest{
		Bucket: bucket, Key: key, UploadID: id, PartNumber: n, Body: bytes.NewReader(body),
	})
	if err != nil {
		t.Fatalf("UploadPart: %v", err)
	}
	return res
}

// mustComplete makes the object of the parts listed; of all parts if none is.
func mustComplete(t testing.TB, e *engine.Engine, bucket, key, id string, parts ...engine.CompletedPart) *engine.CompleteMultipartUploadResult {
	t.Helper()
	res, err := e.CompleteMultipartUpload(context.Background(), &engine.CompleteMultipartUploadRequest{
		Bucket: bucket, Key: key, UploadID: id, Parts: parts, All: len(parts) == 0,
	})
	if err != nil {
		t.Fatalf("CompleteMultipartUpload: %v", err)
	}
	return res
}

// mustObject uploads an object of these parts, numbered from 1.
func mustObject(t testing.TB, e *engine.Engine, bucket, key, sse string, parts ...[]byte) *engine.CompleteMultipartUploadResult {
	t.Helper()
	id := mustInitiate(t, e, bucket, key, sse)
	for i, body := range parts {
		mustPart(t, e, bucket, key, id, i+1, body)
	}
	return mustComplete(t, e, bucket, key, id)
}

// mustDelete deletes an object.
func mustDelete(t testing.TB, e *engine.Engine, bucket, key string) {
	t.Helper()
	if _, err := e.DeleteObject(context.Background(), &engine.DeleteObjectRequest{Bucket: bucket, Key: key}); err != nil {
		t.Fatalf("DeleteObject: %v", err)
	}
}

// mustGet opens an object, or the range of it, for reading. The test's cleanup closes it.
func mustGet(t testing.TB, e *engine.Engine, bucket, key, rng string) *engine.Object {
	t.Helper()
	obj, err := e.GetObject(context.Background(), &engine.GetObjectRequest{
		Bucket: bucket, Key: key, Range: rng, RangeBehavior: engine.RangeStandard,
	})
	if err != nil {
		t.Fatalf("GetObject: %v", err)
	}
	t.Cleanup(func() { obj.Close() })
	return obj
}

// selected returns where in the object the bytes of a reader lie, and whether they were asked for.
func selected(obj *engine.Object) (start, length int64, partial bool) {
	if s := obj.Selected; s != nil {
		return s.Start, s.Length, s.Length > 0
	}
	return 0, obj.Size, false
}

// mustReclaim works off what deletions have left.
func mustReclaim(t testing.TB, e *engine.Engine) {
	t.Helper()
	if _, err := e.Reclaim(context.Background(), &engine.ReclaimRequest{}); err != nil {
		t.Fatalf("Reclaim: %v", err)
	}
}

// stats counts what the store holds.
func stats(t testing.TB, e *engine.Engine) *engine.StatsResult {
	t.Helper()
	res, err := e.Stats(context.Background(), &engine.StatsRequest{})
	if err != nil {
		t.Fatalf("Stats: %v", err)
	}
	return res
}

// What tests of the package share with the model.
var (
	random  = enginetest.Random
	md5ETag = enginetest.MD5ETag
	ossETag = enginetest.OSSETag
	crc64Of = enginetest.CRC64
	failing = enginetest.Failing
	keysOf  = enginetest.KeysOf
)

type tally = enginetest.Tally

func tallyOf(t testing.TB, e *engine.Engine) tally {
	t.Helper()
	return enginetest.TallyOf(t, e)
}

func readAll(t testing.TB, e *engine.Engine, bucket, key string) []byte {
	t.Helper()
	return enginetest.ReadAll(t, e, bucket, key)
}

func checkStore(t testing.TB, e *engine.Engine) {
	t.Helper()
	enginetest.CheckStore(t, e)
}

func checkLive(t testing.TB, e *engine.Engine) {
	t.Helper()
	enginetest.CheckLive(t, e)
}

// seed returns the seed of a random test and logs it; GABION_SEED in the environment replays one.
func seed(t testing.TB) uint64 {
	t.Helper()
	s := uint64(time.Now().UnixNano())
	if text := os.Getenv("GABION_SEED"); text != "" {
		var err error
		if s, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("GABION_SEED: %v", err)
		}
	}
	t.Logf("replay with GABION_SEED=%d", s)
	return s
}

// asError returns err as the engine's type, which every error of every operation is.
func asError(t testing.TB, err error) *engine.Error {
	t.Helper()
	var e *engine.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %v (%T), want an *engine.Error", err, err)
	}
	return e
}
