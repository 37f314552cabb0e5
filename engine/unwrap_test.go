package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
)

// gatedKeys is a key provider whose Unwrap does what it is told.
type gatedKeys struct {
	crypto.KeyProvider
	calls  atomic.Int64
	unwrap func(ctx context.Context) error
}

func (g *gatedKeys) Unwrap(ctx context.Context, w crypto.WrappedKey) (crypto.DataKey, error) {
	g.calls.Add(1)
	if err := g.unwrap(ctx); err != nil {
		return crypto.DataKey{}, err
	}
	return g.KeyProvider.Unwrap(ctx, w)
}

// restarted is a store with an encrypted upload, and an object "there", whose data keys are not in
// memory.
func restarted(t *testing.T, unwrap func(ctx context.Context) error) (e *engine.Engine, id string, provider *gatedKeys) {
	t.Helper()
	dir := t.TempDir()
	provider = &gatedKeys{KeyProvider: keys(t), unwrap: func(context.Context) error { return nil }}
	e = open(t, dir, &engine.Options{Keys: provider})
	id = mustInitiate(t, e, "bucket", "key", "AES256")
	mustPut(t, e, engine.PutObjectRequest{Key: "there", Body: strings.NewReader("content"), EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "AES256"}})
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	provider.unwrap = unwrap
	provider.calls.Store(0)
	return open(t, dir, &engine.Options{Keys: provider}), id, provider
}

func putPart(ctx context.Context, e *engine.Engine, id string, n int) error {
	_, err := e.UploadPart(ctx, &engine.UploadPartRequest{Bucket: "bucket", Key: "key", UploadID: id, PartNumber: n, Body: strings.NewReader("content")})
	return err
}

// TestUnwrapIsShared uploads many parts at once when the data key is not known yet: the provider is
// asked once.
func TestUnwrapIsShared(t *testing.T) {
	const parts = 100
	answer := make(chan struct{})
	e, id, provider := restarted(t, func(context.Context) error { <-answer; return nil })
	errs := make([]error, parts)
	var running sync.WaitGroup
	for n := range parts {
		running.Go(func() { errs[n] = putPart(context.Background(), e, id, n+1) })
	}
	if !eventually(func() bool { return e.WaitForUnwrap() == parts }) {
		t.Errorf("%d calls wait for the provider, want %d", e.WaitForUnwrap(), parts)
	}
	close(answer)
	running.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	if err := putPart(context.Background(), e, id, parts+1); err != nil {
		t.Error(err)
	}
	if n := provider.calls.Load(); n != 1 || e.WaitForUnwrap() != 0 {
		t.Errorf("the provider was asked %d times, want once", n)
	}
}

// TestUnwrapOutlivesTheFirst ends the context of the call that asked first. It does not wait, and
// the other call gets the answer. When nobody waits any more the provider is told.
func TestUnwrapOutlivesTheFirst(t *testing.T) {
	answer, told := make(chan struct{}), make(chan error, 2)
	e, id, provider := restarted(t, func(ctx context.Context) error {
		select {
		case <-answer:
		case <-ctx.Done():
		}
		told <- ctx.Err()
		return ctx.Err()
	})
	call := func(n int) (end context.CancelFunc, result chan error) {
		ctx, end := context.WithCancel(context.Background())
		t.Cleanup(end) // before the store is closed, which waits for the call
		result = make(chan error, 1)
		go func() { result <- putPart(ctx, e, id, n) }()
		return end, result
	}
	waiting := func(n int64) {
		t.Helper()
		if !eventually(func() bool { return int64(e.WaitForUnwrap()) == n }) {
			t.Fatalf("%d calls wait for the provider, want %d", e.WaitForUnwrap(), n)
		}
	}
	endFirst, first := call(1)
	waiting(1)
	endSecond, second := call(2)
	waiting(2)
	endFirst()
	if err := <-first; !errors.Is(err, engine.ErrRequestTimeout) || !errors.Is(err, context.Canceled) {
		t.Errorf("the call whose context ended: %v", err)
	}
	waiting(1)
	endSecond()
	if err := <-second; !errors.Is(err, engine.ErrRequestTimeout) {
		t.Errorf("the last call: %v", err)
	}
	if err := <-told; !errors.Is(err, context.Canceled) {
		t.Errorf("nobody waits, and the provider's context says %v", err)
	}
	// What was given up is asked again.
	endThird, third := call(3)
	defer endThird()
	waiting(1)
	endFourth, fourth := call(4)
	defer endFourth()
	waiting(2)
	endThird()
	<-third
	close(answer)
	if err := <-fourth; err != nil {
		t.Errorf("the call that waited on: %v", err)
	}
	if n := provider.calls.Load(); n != 2 {
		t.Errorf("the provider was asked %d times, want 2", n)
	}
}

// TestForeignErrors has the key provider and the body fail with words that the engine has for
// itself. They are about the provider's contexts and disks, not about the call's and the store's.
func TestForeignErrors(t *testing.T) {
	for _, foreign := range []error{
		context.DeadlineExceeded, context.Canceled, fmt.Errorf("asking: %w", context.DeadlineExceeded),
		syscall.ENOSPC, errors.New("write /var/log/audit: no space left on device"),
		engine.ErrNoSpace, engine.ErrNoSuchKey,
	} {
		t.Run(foreign.Error(), func(t *testing.T) {
			var failure error
			e, id, provider := restarted(t, func(context.Context) error { return failure })
			failing := &hookedKeys{KeyProvider: provider, generate: func(string) (string, error) { return "", foreign }, current: func() error { return foreign }}
			other, _ := memoryStore(t, &engine.Options{Keys: failing})
			mustBucket(t, other, "bucket")
			ctx := context.Background()
			failure = foreign
			_, err1 := other.InitiateMultipartUpload(ctx, &engine.InitiateMultipartUploadRequest{Bucket: "bucket", Key: "key", EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "AES256"}})
			_, err2 := other.RotateKeys(ctx, &engine.RotateKeysRequest{})
			err3 := putPart(ctx, e, id, 1)
			_, err4 := e.GetObject(ctx, &engine.GetObjectRequest{Bucket: "bucket", Key: "there"})
			for i, err := range []error{err1, err2, err3, err4} {
				if got := asError(t, err); got.Code != "InternalError" || got.HTTPStatus != 500 || !errors.Is(err, foreign) {
					t.Errorf("call %d: the provider fails with %q, the call with %v", i+1, foreign, err)
				}
			}
			_, err := other.PutObject(ctx, &engine.PutObjectRequest{Bucket: "bucket", Key: "key", Body: failingBody{foreign}})
			if got := asError(t, err); got.Code != "IncompleteBody" || !errors.Is(err, foreign) {
				t.Errorf("the body fails with %q, PutObject with %v", foreign, err)
			}
			failure = nil
		})
	}
}

type failingBody struct{ err error }

func (b failingBody) Read(p []byte) (int, error) { return 0, b.err }

// TestProviderPanics has the provider panic, on a goroutine that is not the caller's.
func TestProviderPanics(t *testing.T) {
	broken := true
	e, id, _ := restarted(t, func(context.Context) error {
		if broken {
			panic("out of order")
		}
		return nil
	})
	if err := putPart(context.Background(), e, id, 1); !errors.Is(err, engine.ErrInternal) || !strings.Contains(err.Error(), "out of order") {
		t.Errorf("the provider panics, UploadPart fails with %v", err)
	}
	broken = false
	if got := readAll(t, e, "bucket", "there"); !bytes.Equal(got, []byte("content")) {
		t.Errorf("the object reads %q", got)
	}
}
