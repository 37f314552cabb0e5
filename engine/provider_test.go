package engine_test

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
)

// twistedKeys is a provider whose answers are twisted before they are given. All twists are nil at
// first.
type twistedKeys struct {
	*crypto.Keyring
	twist twist
}

// A twist is what is done to the answers of each method.
type twist struct {
	fresh   func(*crypto.DataKey, *crypto.WrappedKey) // of Generate, and of Wrap without the data key
	unwrap  func(*crypto.DataKey)
	current func(*string)
}

func (k *twistedKeys) Generate(ctx context.Context, keyID string) (crypto.DataKey, crypto.WrappedKey, error) {
	key, w, err := k.Keyring.Generate(ctx, keyID)
	if k.twist.fresh != nil {
		k.twist.fresh(&key, &w)
	}
	return key, w, err
}

func (k *twistedKeys) Wrap(ctx context.Context, keyID string, key crypto.DataKey) (crypto.WrappedKey, error) {
	w, err := k.Keyring.Wrap(ctx, keyID, key)
	if k.twist.fresh != nil {
		k.twist.fresh(&key, &w)
	}
	return w, err
}

func (k *twistedKeys) Unwrap(ctx context.Context, w crypto.WrappedKey) (crypto.DataKey, error) {
	key, err := k.Keyring.Unwrap(ctx, w)
	if k.twist.unwrap != nil {
		k.twist.unwrap(&key)
	}
	return key, err
}

func (k *twistedKeys) CurrentKeyID(ctx context.Context) (string, error) {
	id, err := k.Keyring.CurrentKeyID(ctx)
	if k.twist.current != nil {
		k.twist.current(&id)
	}
	return id, err
}

// TestProviderOutput has a provider return what must not be used. Nothing is sealed or stored with
// it, and the calls say so.
func TestProviderOutput(t *testing.T) {
	long := strings.Repeat("x", 4<<10+1)
	const everything = "Initiate, PutObject, CopyObject, Upload, RotateKeys"
	const making = "Initiate, PutObject, CopyObject, Upload"
	for name, c := range map[string]struct {
		twist twist
		of    string // the calls that must fail
		want  error
		cause error
	}{
		"a data key that is all zero":   {twist{fresh: func(key *crypto.DataKey, _ *crypto.WrappedKey) { *key = crypto.DataKey{} }}, making, engine.ErrInternal, crypto.ErrUnusableKey},
		"an empty blob":                 {twist{fresh: func(_ *crypto.DataKey, w *crypto.WrappedKey) { w.Blob = nil }}, everything, engine.ErrInternal, crypto.ErrUnusableKey},
		"an empty id":                   {twist{fresh: func(_ *crypto.DataKey, w *crypto.WrappedKey) { w.KeyID = "" }}, everything, engine.ErrInternal, crypto.ErrUnusableKey},
		"an id that is too long":        {twist{fresh: func(_ *crypto.DataKey, w *crypto.WrappedKey) { w.KeyID = long }}, everything, engine.ErrInvalidArgument, nil},
		"a blob that is too long":       {twist{fresh: func(_ *crypto.DataKey, w *crypto.WrappedKey) { w.Blob = make([]byte, 64<<10+1) }}, everything, engine.ErrInvalidArgument, nil},
		"another key than it wraps":     {twist{fresh: func(key *crypto.DataKey, _ *crypto.WrappedKey) { key[0] ^= 1 }}, making, engine.ErrInternal, crypto.ErrAuthentication},
		"a blob that is damaged":        {twist{fresh: func(_ *crypto.DataKey, w *crypto.WrappedKey) { w.Blob[20] ^= 1 }}, everything, engine.ErrInternal, crypto.ErrAuthentication},
		"an id of no key":               {twist{fresh: func(_ *crypto.DataKey, w *crypto.WrappedKey) { w.KeyID = "none" }}, everything, engine.ErrKeyNotFound, nil},
		"zeros for what it unwraps":     {twist{unwrap: func(key *crypto.DataKey) { *key = crypto.DataKey{} }}, everything + ", GetObject", engine.ErrInternal, crypto.ErrUnusableKey},
		"no current id":                 {twist{current: func(id *string) { *id = "" }}, "RotateKeys", engine.ErrInternal, crypto.ErrUnusableKey},
		"a current id that is too long": {twist{current: func(id *string) { *id = long }}, "RotateKeys", engine.ErrInvalidArgument, nil},
	} {
		t.Run(name, func(t *testing.T) {
			ring := &twistedKeys{Keyring: keys(t)}
			e, _ := memoryStore(t, &engine.Options{Keys: ring, KeyLifetime: 1})
			mustBucket(t, e, "bucket")
			mustPut(t, e, engine.PutObjectRequest{Key: "there", Body: strings.NewReader("content"), EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "AES256"}})
			mustRotate(t, ring.Keyring)
			before := stats(t, e)
			ring.twist = c.twist
			for call, err := range keyCalls(t, e) {
				switch {
				case !strings.Contains(c.of, call):
					if err != nil {
						t.Errorf("%s fails: %v", call, err)
					}
				case !errors.Is(err, c.want) || c.cause != nil && !errors.Is(err, c.cause):
					t.Errorf("%s: %v, want %v of %v", call, err, c.want, c.cause)
				}
			}
			if after := stats(t, e); strings.Contains(c.of, making) && (after.Objects != before.Objects || after.Uploads != before.Uploads || after.StoredBytes != before.StoredBytes) {
				t.Errorf("something was stored: %+v, before %+v", after, before)
			}
			ring.twist = twist{}
			if got := readAll(t, e, "bucket", "there"); string(got) != "content" {
				t.Errorf("the object reads %q", got)
			}
		})
	}
}

// keyCalls makes every call that asks the provider for something, and returns the errors.
func keyCalls(t *testing.T, e *engine.Engine) map[string]error {
	t.Helper()
	ctx, body := t.Context(), func() *bytes.Reader { return bytes.NewReader(random(5, 2*minPart)) }
	errs := map[string]error{}
	_, errs["Initiate"] = e.InitiateMultipartUpload(ctx, &engine.InitiateMultipartUploadRequest{Bucket: "bucket", Key: "new", EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "KMS"}})
	_, errs["PutObject"] = e.PutObject(ctx, &engine.PutObjectRequest{Bucket: "bucket", Key: "new", Body: body(), EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "AES256"}})
	_, errs["CopyObject"] = e.CopyObject(ctx, &engine.CopyObjectRequest{
		Bucket: "bucket", Key: "copy", SourceBucket: "bucket", SourceKey: "there", EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "KMS"},
	})
	_, errs["Upload"] = e.Upload(ctx, &engine.UploadRequest{Bucket: "bucket", Key: "new", Body: body(), EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "AES256"}})
	_, errs["RotateKeys"] = e.RotateKeys(ctx, &engine.RotateKeysRequest{})
	obj, err := e.GetObject(ctx, &engine.GetObjectRequest{Bucket: "bucket", Key: "there"})
	if errs["GetObject"] = err; err == nil {
		errs["GetObject"] = obj.Close()
	}
	return errs
}

// TestKeyIDOfClient has a client ask for keys by ids that no record could hold.
func TestKeyIDOfClient(t *testing.T) {
	e, _ := memoryStore(t, &engine.Options{Keys: keys(t)})
	mustBucket(t, e, "bucket")
	for id, want := range map[string]error{
		strings.Repeat("k", 4<<10): engine.ErrKeyNotFound, strings.Repeat("k", 4<<10+1): engine.ErrInvalidArgument,
		"two\nlines": engine.ErrInvalidArgument, "zero\x00": engine.ErrInvalidArgument,
	} {
		_, err1 := e.InitiateMultipartUpload(t.Context(), &engine.InitiateMultipartUploadRequest{
			Bucket: "bucket", Key: "key", EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "KMS", ServerSideEncryptionKeyID: id},
		})
		_, err2 := e.PutObject(t.Context(), &engine.PutObjectRequest{Bucket: "bucket", Key: "key", EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "KMS", ServerSideEncryptionKeyID: id}})
		for _, err := range []error{err1, err2} {
			if !errors.Is(err, want) {
				t.Errorf("an id of %d bytes: %v, want %v", len(id), err, want)
			}
		}
	}
}

// TestNewKeyIsUnwrapped counts: a key is used when it has been unwrapped once, and that is not
// asked again.
func TestNewKeyIsUnwrapped(t *testing.T) {
	provider := &gatedKeys{KeyProvider: keys(t), unwrap: func(context.Context) error { return crypto.ErrAccessDenied }}
	e := openTemp(t, &engine.Options{Keys: provider})
	mustBucket(t, e, "bucket")
	_, err := e.InitiateMultipartUpload(t.Context(), &engine.InitiateMultipartUploadRequest{Bucket: "bucket", Key: "key", EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "AES256"}})
	if !errors.Is(err, engine.ErrAccessDenied) {
		t.Errorf("Initiate under a key that does not unwrap: %v", err)
	}
	provider.unwrap = func(context.Context) error { return nil }
	provider.calls.Store(0)
	mustObject(t, e, "bucket", "key", "AES256", random(1, minPart), random(2, minPart))
	if n := provider.calls.Load(); n != 1 {
		t.Errorf("the provider was asked to unwrap %d times, want once", n)
	}
}

// ends are the two ways in which code leaves without returning.
var ends = map[string]func(){
	"panics": func() { panic("out of order") },
	"ends":   runtime.Goexit,
}
