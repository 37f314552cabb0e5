package engine_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// An interruptedIndex counts down with each View and Update, and runs a function before the one that
// it comes to.
type interruptedIndex struct {
	*index.Memory
	left   atomic.Int64
	before func()
}

func (i *interruptedIndex) step() {
	if i.left.Add(-1) == 0 {
		i.before()
	}
}

func (i *interruptedIndex) View(ctx context.Context, fn func(index.Reader) error) error {
	i.step()
	return i.Memory.View(ctx, fn)
}

func (i *interruptedIndex) Update(ctx context.Context, fn func(index.Tx) error) error {
	i.step()
	return i.Memory.Update(ctx, fn)
}

// TestDeleteBucketMeanwhile has something begin in a bucket at each moment of its deletion. If it has
// begun, it keeps the bucket, or is given up with it; and nothing begins in a bucket that is gone.
func TestDeleteBucketMeanwhile(t *testing.T) {
	put := func(e *engine.Engine) error {
		_, err := e.PutObject(context.Background(), &engine.PutObjectRequest{Bucket: "bucket", Key: "key", Body: strings.NewReader("content")})
		return err
	}
	initiate := func(e *engine.Engine) error {
		_, err := e.InitiateMultipartUpload(context.Background(), &engine.InitiateMultipartUploadRequest{Bucket: "bucket", Key: "key"})
		return err
	}
	many := func(begin func(*engine.Engine) error) func(*engine.Engine) error {
		return func(e *engine.Engine) (err error) {
			for n := 0; n < 300 && err == nil; n++ {
				err = begin(e)
			}
			return err
		}
	}
	for _, test := range []struct {
		name    string
		rules   engine.Rules
		uploads int // that are there before
		begin   func(*engine.Engine) error
		keeps   bool // the bucket
	}{
		{"an object", engine.OSS, 0, put, true},
		{"an object, S3", engine.S3, 250, put, true},
		{"many objects", engine.OSS, 0, many(put), true},
		{"an object that is deleted again", engine.OSS, 0, func(e *engine.Engine) error {
			err := put(e)
			if err == nil {
				mustDelete(t, e, "bucket", "key")
			}
			return err
		}, false},
		{"an upload", engine.OSS, 0, initiate, true},
		{"an upload, S3", engine.S3, 250, initiate, false},
		{"many uploads, S3", engine.S3, 1, many(initiate), false},
		{"another DeleteBucket", engine.S3, 1, func(e *engine.Engine) error {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			_, err := e.DeleteBucket(ctx, &engine.DeleteBucketRequest{Bucket: "bucket"})
			if errors.Is(err, context.Canceled) {
				err = nil
			}
			return err
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			for at, more := int64(1), true; more; at++ {
				idx := &interruptedIndex{Memory: index.NewMemory()}
				e := openStores(t, idx, blob.NewMemory(0), &engine.Options{Rules: test.rules})
				engine.StopSweeper(e)
				mustBucket(t, e, "bucket")
				for range test.uploads {
					if err := initiate(e); err != nil {
						t.Fatal(err)
					}
				}
				var began error
				interrupted := false
				idx.before = func() {
					interrupted = true
					began = test.begin(e)
				}
				idx.left.Store(at)
				_, err := e.DeleteBucket(t.Context(), &engine.DeleteBucketRequest{Bucket: "bucket"})
				more = interrupted
				switch {
				case began != nil:
					t.Errorf("before step %d: %v", at, began)
				case interrupted && test.keeps:
					if !errors.Is(err, engine.ErrBucketNotEmpty) {
						t.Errorf("DeleteBucket, interrupted before step %d: %v, want ErrBucketNotEmpty", at, err)
					}
				case err != nil:
					t.Errorf("DeleteBucket, interrupted before step %d: %v", at, err)
				default:
					if s := stats(t, e); s.Uploads != 0 || s.Objects != 0 {
						t.Errorf("interrupted before step %d: %d uploads and %d objects are left", at, s.Uploads, s.Objects)
					}
					if err := put(e); !errors.Is(err, engine.ErrNoSuchBucket) {
						t.Errorf("PutObject into a bucket that is gone: %v", err)
					}
				}
				checkStore(t, e)
				if at > 20 {
					t.Fatal("DeleteBucket does not come to an end")
				}
			}
		})
	}
}

// TestDeleteBucketWaitsForWhatWasLetIn deletes a bucket while the transaction of a PutObject has run,
// and is not committed.
func TestDeleteBucketWaitsForWhatWasLetIn(t *testing.T) {
	held := &holdingIndex{Memory: index.NewMemory(), ran: make(chan struct{}), release: make(chan struct{})}
	e := openStores(t, held, blob.NewMemory(0), nil)
	engine.StopSweeper(e)
	mustBucket(t, e, "bucket")
	put := make(chan error)
	held.hold.Store(true)
	go func() {
		_, err := e.PutObject(context.Background(), &engine.PutObjectRequest{Bucket: "bucket", Key: "key", Body: strings.NewReader("content")})
		put <- err
	}()
	<-held.ran
	_, err := e.DeleteBucket(t.Context(), &engine.DeleteBucketRequest{Bucket: "bucket"})
	if err2 := <-put; err2 != nil || !errors.Is(err, engine.ErrBucketNotEmpty) {
		t.Errorf("PutObject: %v, then DeleteBucket: %v, want ErrBucketNotEmpty", err2, err)
	}
}

// A holdingIndex can hold one Update after its function has run, until the next one.
type holdingIndex struct {
	*index.Memory
	hold         atomic.Bool
	ran, release chan struct{}
}

func (h *holdingIndex) Update(ctx context.Context, fn func(index.Tx) error) error {
	if h.hold.Swap(false) {
		return h.Memory.Update(ctx, func(tx index.Tx) error {
			err := fn(tx)
			close(h.ran)
			<-h.release
			return err
		})
	}
	select {
	case <-h.ran:
		select {
		case <-h.release:
		default:
			close(h.release)
		}
	default:
	}
	return h.Memory.Update(ctx, fn)
}
