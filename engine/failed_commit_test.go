package engine_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

const failedBucket = "failed"

// TestFailedCommitIsStored lets the commit of each call that names chunks fail, and be stored all
// the same, as a sync that fails may leave it. Reclaiming in the same process must not destroy what
// the index does not show and yet has.
func TestFailedCommitIsStored(t *testing.T) {
	body := random(7, 200_000)
	for name, call := range map[string]func(*engine.Engine, string) error{
		"PutObject": func(e *engine.Engine, _ string) error {
			_, err := e.PutObject(t.Context(), &engine.PutObjectRequest{Bucket: failedBucket, Key: "new", Body: bytes.NewReader(body)})
			return err
		},
		"UploadPart": func(e *engine.Engine, id string) error {
			_, err := e.UploadPart(t.Context(), &engine.UploadPartRequest{
				Bucket: failedBucket, Key: "upload", UploadID: id, PartNumber: 1, Body: bytes.NewReader(body),
			})
			return err
		},
		"UploadPartCopy": func(e *engine.Engine, id string) error {
			_, err := e.UploadPartCopy(t.Context(), &engine.UploadPartCopyRequest{
				Bucket: failedBucket, Key: "upload", UploadID: id, PartNumber: 1, SourceBucket: failedBucket, SourceKey: "there", SourceRange: "bytes=1-150000",
			})
			return err
		},
		"CopyObject": func(e *engine.Engine, _ string) error {
			_, err := e.CopyObject(t.Context(), &engine.CopyObjectRequest{
				Bucket: failedBucket, Key: "new", SourceBucket: failedBucket, SourceKey: "there", EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "AES256"},
			})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			for k := 1; failCommit(t, k, call); k++ {
			}
		})
	}
}

// failCommit lets the k-th commit of a call fail, and reports whether there was one.
func failCommit(t *testing.T, k int, call func(*engine.Engine, string) error) bool {
	t.Helper()
	idx, blobs := &failingIndex{Memory: index.NewMemory()}, lastingBlobs{blob.NewMemory(64 << 10)}
	o := &engine.Options{ChunkSize: 16 << 10, Keys: keys(t)}
	e, err := engine.OpenStores(t.Context(), idx, blobs, o)
	if err != nil {
		t.Fatal(err)
	}
	mustBucket(t, e, failedBucket)
	mustObject(t, e, failedBucket, "there", "", random(8, 200_000))
	id := mustInitiate(t, e, failedBucket, "upload", "")
	idx.arm(k)
	var failed *index.CommitError
	switch err := call(e, id); {
	case err == nil && k > 1:
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		return false
	case !errors.As(err, &failed):
		t.Fatalf("with a commit %d that fails: %v", k, err)
	}
	if _, err := e.Reclaim(t.Context(), &engine.ReclaimRequest{}); err != nil && !errors.As(err, &failed) {
		t.Errorf("Reclaim after commit %d has failed: %v", k, err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	idx.heal()
	if e, err = engine.OpenStores(t.Context(), idx, blobs, o); err != nil {
		t.Fatal(err)
	}
	res, err := e.Check(t.Context(), &engine.CheckRequest{Data: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range res.Problems {
		t.Errorf("commit %d failed and is stored: Check: %v", k, p)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return true
}

// TestFailedCommitAlarms has a commit fail, and then two calls. The alarm says once that the engine takes
// no writes any more, so that who runs it need not look at the errors of each call.
func TestFailedCommitAlarms(t *testing.T) {
	idx := &failingIndex{Memory: index.NewMemory()}
	var alarms atomic.Int64
	e, err := engine.OpenStores(t.Context(), idx, blob.NewMemory(64<<10), &engine.Options{
		ChunkSize: 16 << 10, Events: &engine.Events{Alarm: func(err error) {
			if failed := (*index.CommitError)(nil); errors.As(err, &failed) {
				alarms.Add(1)
			}
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	mustBucket(t, e, failedBucket)
	if n := alarms.Load(); n != 0 {
		t.Errorf("%d alarms before a commit has failed", n)
	}
	idx.arm(1)
	for range 2 {
		_, err := e.CreateBucket(t.Context(), &engine.CreateBucketRequest{Bucket: "another"})
		if failed := (*index.CommitError)(nil); !errors.As(err, &failed) {
			t.Errorf("CreateBucket: %v, want that the commit failed", err)
		}
		if n := alarms.Load(); n != 1 {
			t.Errorf("%d alarms, want 1", n)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	idx.heal()
}

// A failingIndex stores what it is armed for and says that it failed. Views show what was there
// before until it is healed, as those of an index do until it is opened again.
type failingIndex struct {
	*index.Memory

	mu      sync.Mutex // guards what follows, and the use of before
	armed   int        // how many commits from now on, if not 0
	failure *index.CommitError
	before  index.Reader
	end     func() // of before
}

func (s *failingIndex) arm(k int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armed = k
}

func (s *failingIndex) heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end()
	s.armed, s.failure = 0, nil
}

func (s *failingIndex) Update(ctx context.Context, fn func(index.Tx) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure != nil {
		return s.failure
	}
	if s.armed--; s.armed != 0 {
		return s.Memory.Update(ctx, fn)
	}
	s.keep()
	if err := s.Memory.Update(ctx, fn); err != nil {
		return err
	}
	s.failure = &index.CommitError{Err: errors.New("the sync failed")}
	return s.failure
}

// keep keeps the present state for Views.
func (s *failingIndex) keep() {
	there, over, ended := make(chan index.Reader), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		s.Memory.View(context.Background(), func(r index.Reader) error {
			there <- r
			<-over
			return nil
		})
	}()
	s.before = <-there
	s.end = func() { close(over); <-ended }
}

func (s *failingIndex) View(ctx context.Context, fn func(index.Reader) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure != nil {
		return fn(s.before)
	}
	return s.Memory.View(ctx, fn)
}

func (s *failingIndex) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	return index.GetByView(ctx, s.View, keys)
}

func (s *failingIndex) Failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure == nil {
		return nil
	}
	return s.failure
}

func (s *failingIndex) Close() error { return nil }
