package engine_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// TestWrongKeyOnce has the provider give another data key than that which it is asked for, once.
// Records say so, and it is asked again: no call fails for it, nor those after it, which find the
// key in memory.
func TestWrongKeyOnce(t *testing.T) {
	ref := engine.UploadPartRequest{Bucket: "bucket", Key: "upload", PartNumber: 2}
	for name, call := range map[string]func(*engine.Engine, string) error{
		"GetObject": func(e *engine.Engine, _ string) error {
			obj, err := e.GetObject(t.Context(), &engine.GetObjectRequest{Bucket: "bucket", Key: "there"})
			if err != nil {
				return err
			}
			return obj.Close()
		},
		"HeadObject of a part": func(e *engine.Engine, _ string) error {
			_, err := e.HeadObject(t.Context(), &engine.HeadObjectRequest{Bucket: "bucket", Key: "there", PartNumber: 1})
			return err
		},
		"PutObjectTagging": func(e *engine.Engine, _ string) error {
			_, err := e.PutObjectTagging(t.Context(), &engine.PutObjectTaggingRequest{
				Bucket: "bucket", Key: "there", Tags: map[string]string{"tag": "value"},
			})
			return err
		},
		"CopyObject": func(e *engine.Engine, _ string) error {
			_, err := e.CopyObject(t.Context(), &engine.CopyObjectRequest{
				Bucket: "bucket", Key: "copy", SourceBucket: "bucket", SourceKey: "there",
			})
			return err
		},
		"UploadPart": func(e *engine.Engine, id string) error {
			req := ref
			req.UploadID, req.Body = id, bytes.NewReader(random(2, 1000))
			_, err := e.UploadPart(t.Context(), &req)
			return err
		},
		"CompleteMultipartUpload": func(e *engine.Engine, id string) error {
			_, err := e.CompleteMultipartUpload(t.Context(), &engine.CompleteMultipartUploadRequest{
				Bucket: "bucket", Key: "upload", UploadID: id, All: true,
			})
			return err
		},
		"Check": func(e *engine.Engine, _ string) error {
			res, err := e.Check(t.Context(), &engine.CheckRequest{Data: true})
			if err == nil && len(res.Problems) > 0 {
				err = res.Problems[0].Err
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			crossing := &crossingKeys{Keyring: keys(t)}
			s := inMemory(t, engine.Options{Keys: crossing})
			e := mustOpen(t, s)
			mustObject(t, e, "bucket", "there", "AES256", random(1, 120<<10))
			id := mustInitiate(t, e, "bucket", "upload", "KMS")
			mustPart(t, e, "bucket", "upload", id, 1, random(1, 120<<10))
			mustClose(t, e)
			e = mustOpen(t, s) // which has no key in memory
			crossing.arm(t, 1)
			if err := call(e, id); err != nil {
				t.Errorf("the first answer of the provider is wrong: %v", err)
			}
			if !crossing.reached() {
				t.Error("the provider was not asked")
			}
			if got := readAll(t, e, "bucket", "there"); !bytes.Equal(got, random(1, 120<<10)) {
				t.Error("the object reads back wrong")
			}
			checkStore(t, e)
			mustClose(t, e)
		})
	}
}

// TestWrongRecordsKey has the provider give another key than that of the store's records when a store
// is opened. Nothing may be signed with it.
func TestWrongRecordsKey(t *testing.T) {
	crossing, dir := &crossingKeys{Keyring: keys(t)}, t.TempDir()
	o := &engine.Options{Keys: crossing, AuthenticateRecords: true}
	e := open(t, dir, o)
	mustObject(t, e, "bucket", "key", "", random(1, 1000))
	mustClose(t, e)
	for k := 1; ; k++ {
		crossing.arm(t, k)
		e, err := engine.Open(t.Context(), dir, o)
		reached := crossing.reached()
		if err == nil {
			if got := readAll(t, e, "bucket", "key"); !bytes.Equal(got, random(1, 1000)) {
				t.Error("the object reads back wrong")
			}
			mustObject(t, e, "bucket", "more", "", random(1, 1000))
			mustClose(t, e)
		} else if !errors.Is(err, crypto.ErrAuthentication) {
			t.Errorf("answer %d is wrong, and Open says %v", k, err)
		}
		if !reached || t.Failed() {
			break
		}
	}
	checkStore(t, open(t, dir, o))
}

// TestWrongRecord reads an object whose record is not what was signed. The provider is asked once
// more, and no longer.
func TestWrongRecord(t *testing.T) {
	crossing, idx := &crossingKeys{Keyring: keys(t)}, index.NewMemory()
	e, err := engine.OpenStores(t.Context(), idx, blob.NewMemory(0), &engine.Options{Keys: crossing})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	mustObject(t, e, "bucket", "key", "AES256", random(1, 1000))
	put(t, idx, func(tx index.Tx) error {
		rec, err := index.Get(tx, index.ObjectKey("bucket", "key"))
		if err != nil {
			return err
		}
		rec.Attributes.ContentType = "forged"
		return index.Put(tx, index.ObjectKey("bucket", "key"), &rec)
	})
	crossing.arm(t, 0)
	_, err = e.GetObject(t.Context(), &engine.GetObjectRequest{Bucket: "bucket", Key: "key"})
	if corrupt := (*engine.CorruptionError)(nil); !errors.As(err, &corrupt) || !errors.Is(err, crypto.ErrAuthentication) {
		t.Errorf("GetObject: %v", err)
	}
	if n := crossing.asked(); n != 1 {
		t.Errorf("the provider was asked %d times, wanted is once", n)
	}
}
