package engine_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// customerUpload makes an object of two of three parts of one size, under a client's key that
// Complete is given or not.
func customerUpload(t *testing.T, e *engine.Engine, atComplete crypto.CustomerKey) {
	t.Helper()
	mustBucket(t, e, "check")
	up, err := e.InitiateMultipartUpload(t.Context(), &engine.InitiateMultipartUploadRequest{Bucket: "check", Key: "key", EncryptionRequest: engine.EncryptionRequest{SSECustomerKey: customerKey}})
	if err != nil {
		t.Fatal(err)
	}
	var list []engine.CompletedPart
	for n := 1; n <= 3; n++ {
		part, err := e.UploadPart(t.Context(), &engine.UploadPartRequest{
			Bucket: "check", Key: "key", UploadID: up.UploadID, PartNumber: n, Body: bytes.NewReader(random(uint64(n), 5*32<<10)), SSECustomerKey: customerKey,
		})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, engine.CompletedPart{PartNumber: n, ETag: part.ETag})
	}
	req := &engine.CompleteMultipartUploadRequest{Bucket: "check", Key: "key", UploadID: up.UploadID, Parts: list}
	req.SSECustomerKey = crypto.CustomerKey(random(10, crypto.CustomerKeySize))
	if _, err := e.CompleteMultipartUpload(t.Context(), req); !errors.Is(err, engine.ErrInvalidRequest) {
		t.Errorf("Complete with another key: %v", err)
	}
	req.SSECustomerKey = atComplete
	if _, err := e.CompleteMultipartUpload(t.Context(), req); err != nil {
		t.Fatal(err)
	}
}

// otherOrder makes another selection of an object's parts: the first twice the place of the second.
func otherOrder(tx index.Tx) error {
	obj, err := index.Get(tx, index.ObjectKey("check", "key"))
	page, err2 := index.Get(tx, index.DirectoryKey(obj.Content, 0))
	page.Parts = page.Parts[:2]
	obj.Parts, obj.Size = 2, page.Parts[0].Size+page.Parts[1].Size
	return errors.Join(err, err2, index.Put(tx, index.DirectoryKey(obj.Content, 0), &page), index.Put(tx, index.ObjectKey("check", "key"), &obj))
}

// TestCustomerComplete completes uploads under a client's key with it and without. Exchanges are
// refused both ways, but for another selection of the upload's own parts, which only the key at
// Complete rules out, or a key of the store.
func TestCustomerComplete(t *testing.T) {
	for _, given := range []crypto.CustomerKey{customerKey, nil} {
		testCustomerComplete(t, given, false)
		testCustomerComplete(t, given, true)
	}
}

func testCustomerComplete(t *testing.T, given crypto.CustomerKey, authenticated bool) {
	for _, test := range []struct {
		name, key string
		change    func(index.Tx) error
		served    bool // without the key at Complete
	}{
		{"nothing", "key", func(index.Tx) error { return nil }, true},
		{"name", "alias", copied("key", "alias"), false},
		{"attributes", "key", changed("key", func(o *index.Object) { o.Attributes.Expires = "never" }), false},
		{"no MAC", "key", changed("key", func(o *index.Object) { o.MAC, o.UploadMAC = nil, nil }), false},
		{"chunks", "key", swapped("key"), false},
		{"selection", "key", otherOrder, true},
	} {
		e, idx := memoryStore(t, &engine.Options{ChunkSize: 32 << 10, Keys: keys(t), AuthenticateRecords: authenticated})
		customerUpload(t, e, given)
		if err := idx.Update(t.Context(), test.change); err != nil {
			t.Fatal(err)
		}
		served := test.name == "nothing" || given == nil && !authenticated && test.served
		_, err := readWith(e, test.key, "", customerKey)
		if served != (err == nil) || !served && asCorruption(err) == nil {
			t.Errorf("key at Complete %t, of the store %t, %s changed: %v, want it served: %t", given != nil, authenticated, test.name, err, served)
		}
		_, err = e.HeadObject(context.Background(), &engine.HeadObjectRequest{Bucket: "check", Key: test.key, SSECustomerKey: customerKey})
		if served := served || test.name == "chunks"; served != (err == nil) {
			t.Errorf("key at Complete %t, of the store %t, %s changed: HeadObject: %v", given != nil, authenticated, test.name, err)
		}
	}
}

// TestCompleteNeedsKey completes an encrypted upload when the key provider is not there, and when
// it is again.
func TestCompleteNeedsKey(t *testing.T) {
	dir, ring := t.TempDir(), keys(t)
	e := open(t, dir, &engine.Options{Keys: ring})
	id := mustInitiate(t, e, "bucket", "key", "AES256")
	part := engine.CompletedPart{PartNumber: 1, ETag: mustPart(t, e, "bucket", "key", id, 1, random(1, 1000)).ETag}
	mustClose(t, e)

	e = open(t, dir, nil)
	req := &engine.CompleteMultipartUploadRequest{Bucket: "bucket", Key: "key", UploadID: id, Parts: []engine.CompletedPart{part}}
	if _, err := e.CompleteMultipartUpload(t.Context(), req); !errors.Is(err, engine.ErrKmsServiceNotEnabled) {
		t.Errorf("without keys: %v", err)
	}
	mustClose(t, e)

	e = open(t, dir, &engine.Options{Keys: ring})
	mustComplete(t, e, "bucket", "key", id, part)
	if got := readAll(t, e, "bucket", "key"); !bytes.Equal(got, random(1, 1000)) {
		t.Errorf("the object has %d bytes", len(got))
	}
}

// TestSequentialMD5Exchanged changes the sum of a sequential upload, which stands in the clear
// beside its sealed state.
func TestSequentialMD5Exchanged(t *testing.T) {
	e, idx := memoryStore(t, &engine.Options{Keys: keys(t)})
	mustBucket(t, e, "check")
	up, err := e.InitiateMultipartUpload(t.Context(), &engine.InitiateMultipartUploadRequest{
		Bucket: "check", Key: "key", EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "AES256"}, Sequential: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	part := engine.CompletedPart{PartNumber: 1, ETag: mustPart(t, e, "check", "key", up.UploadID, 1, random(1, 1000)).ETag}
	content, _ := index.ParseContentID(up.UploadID)
	flip := func(tx index.Tx) error {
		rec, err := index.Get(tx, index.UploadKey("check", "key", content))
		rec.MD5[0] ^= 1
		return errors.Join(err, index.Put(tx, index.UploadKey("check", "key", content), &rec))
	}
	if err := idx.Update(t.Context(), flip); err != nil {
		t.Fatal(err)
	}
	req := &engine.CompleteMultipartUploadRequest{Bucket: "check", Key: "key", UploadID: up.UploadID, Parts: []engine.CompletedPart{part}}
	if _, err := e.CompleteMultipartUpload(t.Context(), req); asCorruption(err) == nil {
		t.Errorf("with another MD5: %v", err)
	}
	if err := idx.Update(t.Context(), flip); err != nil {
		t.Fatal(err)
	}
	mustComplete(t, e, "check", "key", up.UploadID, part)
}
