package engine_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
)

// brokenKeys is a provider whose methods end as they are told to instead of returning.
type brokenKeys struct {
	crypto.KeyProvider
	mu     sync.Mutex // guards what follows
	method string
	end    func()
}

func (b *brokenKeys) set(method string, end func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.method, b.end = method, end
}

func (b *brokenKeys) in(method string) {
	b.mu.Lock()
	end := b.end
	if b.method != method {
		end = func() {}
	}
	b.mu.Unlock()
	end()
}

func (b *brokenKeys) CurrentKeyID(ctx context.Context) (string, error) {
	b.in("CurrentKeyID")
	return b.KeyProvider.CurrentKeyID(ctx)
}

func (b *brokenKeys) Generate(ctx context.Context, keyID string) (crypto.DataKey, crypto.WrappedKey, error) {
	b.in("Generate")
	return b.KeyProvider.Generate(ctx, keyID)
}

func (b *brokenKeys) Wrap(ctx context.Context, keyID string, key crypto.DataKey) (crypto.WrappedKey, error) {
	b.in("Wrap")
	return b.KeyProvider.Wrap(ctx, keyID, key)
}

func (b *brokenKeys) Unwrap(ctx context.Context, w crypto.WrappedKey) (crypto.DataKey, error) {
	b.in("Unwrap")
	return b.KeyProvider.Unwrap(ctx, w)
}

// checkNothingHeld proves that calls which ended badly have left nothing behind: no pin, no buffer,
// no hold; that the accounts are right; and that all space comes back when everything is deleted.
// That no call is counted any more shows when the store is closed.
func checkNothingHeld(t *testing.T, e *engine.Engine) {
	t.Helper()
	checkStore(t, e)
	checkLeftovers(t, e)
	if !eventually(func() bool { return e.Held() == 0 }) {
		t.Errorf("%d contents are held", e.Held())
	}
	for up, err := range e.Uploads(t.Context(), &engine.ListMultipartUploadsRequest{Bucket: "bucket"}) {
		if err != nil {
			t.Fatal(err)
		}
		_, err := e.AbortMultipartUpload(t.Context(), &engine.AbortMultipartUploadRequest{Bucket: "bucket", Key: up.Key, UploadID: up.UploadID})
		if err != nil {
			t.Fatal(err)
		}
	}
	for obj, err := range e.Objects(t.Context(), &engine.ListObjectsRequest{Bucket: "bucket"}) {
		if err != nil {
			t.Fatal(err)
		}
		mustDelete(t, e, "bucket", obj.Key)
	}
	if got := tallyOf(t, e); got != (tally{}) {
		t.Errorf("after everything was deleted the store holds %+v", got)
	}
}

// outsideStore has an open upload "key" and objects "there" and "plain", and asks its provider each
// time.
func outsideStore(t *testing.T, o engine.Options) (e *engine.Engine, id string) {
	t.Helper()
	o.KeyLifetime, o.ChunkSize, o.VolumeSize = 1, 16<<10, 1<<20
	e = openTemp(t, &o)
	id = mustInitiate(t, e, "bucket", "key", "AES256")
	mustPut(t, e, engine.PutObjectRequest{Key: "there", Body: bytes.NewReader(random(1, 2*minPart)), EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "AES256"}})
	mustPut(t, e, engine.PutObjectRequest{Key: "plain", Body: bytes.NewReader(random(2, 2*minPart))})
	return e, id
}

// outsideCalls makes the calls that run code of the caller's, each on a goroutine of its own, since
// that may end it. An error is missing where a call did not return.
func outsideCalls(t *testing.T, e *engine.Engine, id string, req engine.UploadPartRequest) map[string]error {
	t.Helper()
	ctx := t.Context()
	var errs sync.Map
	perform := func(name string, call func() error) {
		var done sync.WaitGroup
		done.Add(1)
		go func() {
			defer done.Done()
			defer func() { recover() }()
			errs.Store(name, call())
		}()
		done.Wait()
	}
	body := func() io.Reader {
		if req.Body != nil {
			return io.MultiReader(bytes.NewReader(random(7, 3*minPart)), req.Body)
		}
		return bytes.NewReader(random(7, 3*minPart))
	}
	for n, sse := range []string{"", "AES256"} {
		name := orElse(sse, "plain")
		perform("PutObject "+name, func() error {
			_, err := e.PutObject(ctx, &engine.PutObjectRequest{Bucket: "bucket", Key: "new", Body: body(), Progress: req.Progress, EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm(sse)}})
			return err
		})
		perform("Initiate "+name, func() error {
			_, err := e.InitiateMultipartUpload(ctx, &engine.InitiateMultipartUploadRequest{Bucket: "bucket", Key: "key", EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm(sse)}})
			return err
		})
		perform("UploadPart "+name, func() error {
			id := id
			if sse == "" {
				id = mustInitiate(t, e, "bucket", "key", "")
			}
			_, err := e.UploadPart(ctx, &engine.UploadPartRequest{Bucket: "bucket", Key: "key", UploadID: id, PartNumber: 1, Body: body(), Progress: req.Progress})
			return err
		})
		source := []string{"plain", "there"}[n]
		perform("UploadPartCopy "+name, func() error {
			_, err := e.UploadPartCopy(ctx, &engine.UploadPartCopyRequest{
				Bucket: "bucket", Key: "key", UploadID: id, PartNumber: 2, SourceBucket: "bucket", SourceKey: source, Progress: req.Progress,
			})
			return err
		})
		perform("CopyObject "+name, func() error {
			_, err := e.CopyObject(ctx, &engine.CopyObjectRequest{Bucket: "bucket", Key: "copy", SourceBucket: "bucket", SourceKey: source, EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "KMS"}})
			return err
		})
		perform("Upload "+name, func() error {
			_, err := e.Upload(ctx, &engine.UploadRequest{
				Bucket: "bucket", Key: "new", Body: body(), PartSize: minPart, Parallel: 2, Progress: req.Progress, EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm(sse)},
			})
			return err
		})
		perform("GetObject "+name, func() error {
			obj, err := e.GetObject(ctx, &engine.GetObjectRequest{Bucket: "bucket", Key: source})
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, obj)
			return errors.Join(err, obj.Close())
		})
	}
	perform("RotateKeys", func() error {
		_, err := e.RotateKeys(ctx, &engine.RotateKeysRequest{})
		return err
	})
	perform("Check", func() error {
		_, err := e.Check(ctx, &engine.CheckRequest{Data: true})
		return err
	})
	perform("Expire", func() error {
		_, err := e.Expire(ctx, &engine.ExpireRequest{Before: time.Unix(0, 0)})
		return err
	})
	all := map[string]error{}
	errs.Range(func(name, err any) bool {
		all[name.(string)], _ = err.(error)
		return true
	})
	return all
}

// TestProviderEnds has each method of the provider panic, or end its goroutine. That is an error of
// the calls that need it, of no other, and leaves nothing held.
func TestProviderEnds(t *testing.T) {
	fails := map[string]string{
		"CurrentKeyID": "RotateKeys",
		"Generate":     "PutObject AES256, Initiate AES256, CopyObject plain, CopyObject AES256, Upload AES256",
		"Wrap":         "RotateKeys",
		"Unwrap": "PutObject AES256, Initiate AES256, UploadPart AES256, UploadPartCopy plain, UploadPartCopy AES256, " +
			"CopyObject plain, CopyObject AES256, Upload AES256, GetObject AES256, RotateKeys",
	}
	for method, failing := range fails {
		for how, end := range ends {
			t.Run(method+" "+how, func(t *testing.T) {
				ring := keys(t)
				broken := &brokenKeys{KeyProvider: ring}
				e, id := outsideStore(t, engine.Options{Keys: broken})
				mustRotate(t, ring)
				broken.set(method, end)
				errs := outsideCalls(t, e, id, engine.UploadPartRequest{})
				for name, err := range errs {
					if want := strings.Contains(failing, name); want != errors.Is(err, engine.ErrInternal) || !want && err != nil {
						t.Errorf("%s: %v, want an error is %t", name, err, want)
					}
				}
				if len(errs) != 17 {
					t.Errorf("%d calls returned, want 17", len(errs))
				}
				broken.set("", nil)
				checkNothingHeld(t, e)
			})
		}
	}
}

// TestBodyEnds has bodies end their goroutine behind so many bytes.
func TestBodyEnds(t *testing.T) {
	for how, end := range ends {
		t.Run(how, func(t *testing.T) {
			e, id := outsideStore(t, engine.Options{Keys: keys(t)})
			errs := outsideCalls(t, e, id, engine.UploadPartRequest{Body: readerFunc(func([]byte) (int, error) { end(); return 0, nil })})
			for name, err := range errs {
				reads := strings.Contains(name, "PutObject") || strings.Contains(name, "UploadPart ") || strings.Contains(name, "Upload ")
				if reads != errors.Is(err, engine.ErrIncompleteBody) || !reads && err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			checkNothingHeld(t, e)
		})
	}
}

// TestProgressEnds has Progress end the goroutine of the call, which is the caller's.
func TestProgressEnds(t *testing.T) {
	for how, end := range ends {
		t.Run(how, func(t *testing.T) {
			e, id := outsideStore(t, engine.Options{Keys: keys(t)})
			errs := outsideCalls(t, e, id, engine.UploadPartRequest{Progress: func(int64) { end() }})
			for name, err := range errs {
				if strings.Contains(name, "PutObject") || strings.Contains(name, "Upload") || err != nil {
					t.Errorf("%s returned: %v", name, err)
				}
			}
			checkNothingHeld(t, e)
		})
	}
}

// TestHooksEnd has the clock and the events end their goroutine. No call fails for it; the alarm
// hears of the clock, and stamps are the system's.
func TestHooksEnd(t *testing.T) {
	for how, end := range ends {
		t.Run(how, func(t *testing.T) {
			var mu sync.Mutex
			var alarms []string
			began, broken := time.Now(), false
			e, id := outsideStore(t, engine.Options{
				Keys: keys(t), UploadExpiry: time.Hour,
				Clock: func() time.Time {
					mu.Lock()
					over := broken
					mu.Unlock()
					if over {
						end()
					}
					return time.Unix(1, 0)
				},
				Events: &engine.Events{
					Alarm: func(err error) {
						mu.Lock()
						alarms = append(alarms, err.Error())
						mu.Unlock()
						end()
					},
					VolumeReclaimed: func(engine.VolumeReclaimed) { end() },
				},
			})
			mu.Lock()
			broken = true
			mu.Unlock()
			for name, err := range outsideCalls(t, e, id, engine.UploadPartRequest{}) {
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			if got := head(t, e, "bucket", "new").LastModified; got.Before(began) {
				t.Errorf("the object is of %v", got)
			}
			checkNothingHeld(t, e)
			mu.Lock()
			defer mu.Unlock()
			if !strings.Contains(strings.Join(alarms, "\n"), "Options.Clock") {
				t.Errorf("of %d alarms none is about the clock", len(alarms))
			}
		})
	}
}
