package engine_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// customerKey is that of the objects of exchangeStore that have one.
var customerKey = crypto.CustomerKey(random(9, crypto.CustomerKeySize))

// exchangeStore is a store with encrypted objects of which some parts have one size, and some
// chunks.
func exchangeStore(t *testing.T) (*engine.Engine, *index.Memory) {
	t.Helper()
	e, idx := memoryStore(t, &engine.Options{ChunkSize: 32 << 10, Keys: keys(t)})
	mustObject(t, e, "check", "sealed", "AES256", random(1, 5*32<<10), random(2, 5*32<<10))
	mustObject(t, e, "check", "single", "AES256", random(3, 5*32<<10))
	for i, key := range []string{"one", "two"} {
		mustPut(t, e, engine.PutObjectRequest{Bucket: "check", Key: key, Body: bytes.NewReader(random(uint64(10+i), 5*32<<10)), EncryptionRequest: engine.EncryptionRequest{SSECustomerKey: customerKey}})
		mustPut(t, e, engine.PutObjectRequest{Bucket: "check", Key: "put " + key, Body: bytes.NewReader(random(uint64(20+i), 5*32<<10)), EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "AES256"}})
		mustPut(t, e, engine.PutObjectRequest{Bucket: "check", Key: "small " + key, Body: bytes.NewReader(random(uint64(30+i), 100)), EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "AES256"}})
	}
	return e, idx
}

// readWith reads an object, whole or a range of it, under the client's key if there is one.
func readWith(e *engine.Engine, key, rng string, customer crypto.CustomerKey) ([]byte, error) {
	o, err := e.GetObject(context.Background(), &engine.GetObjectRequest{Bucket: "check", Key: key, Range: rng, SSECustomerKey: customer})
	if err != nil {
		return nil, err
	}
	defer o.Close()
	return io.ReadAll(o)
}

// wantRefused wants neither all of an object nor the range served, and Check to name it.
func wantRefused(t *testing.T, e *engine.Engine, key, rng string, customer crypto.CustomerKey) {
	t.Helper()
	for _, r := range []string{"", rng} {
		if data, err := readWith(e, key, r, customer); asCorruption(err) == nil {
			t.Errorf("%s, range %q: %d bytes, %v, want a CorruptionError", key, r, len(data), err)
		}
	}
	if customer != nil {
		return // nobody but the client can find out
	}
	for _, data := range []bool{true, false} {
		res, err := e.Check(context.Background(), &engine.CheckRequest{Data: data})
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, p := range res.Problems {
			found = found || p.Kind == engine.DataLost && p.Key == key
		}
		if !found {
			t.Errorf("Check with Data %t says nothing of %s: %v", data, key, res.Problems)
		}
	}
}

// onPage changes the first page of the first part of an object.
func onPage(key string, change func(*index.Page)) func(index.Tx) error {
	return func(tx index.Tx) error {
		id, err := contentOf(tx, key)
		part := first(index.Scan(tx, index.PartsOf(id)))
		page := first(index.Scan(tx, index.PagesOf(part.Record.Manifest)))
		change(&page.Record)
		return errors.Join(err, index.Put(tx, page.Key, &page.Record))
	}
}

// copied puts the record of an object under another name.
func copied(from, to string) func(index.Tx) error {
	return func(tx index.Tx) error {
		obj, err := index.Get(tx, index.ObjectKey("check", from))
		return errors.Join(err, index.Put(tx, index.ObjectKey("check", to), &obj))
	}
}

// TestExchange changes records of encrypted objects as whoever writes the disk can, under right
// checksums. Nothing of it is served, and Check tells it.
func TestExchange(t *testing.T) {
	for _, test := range []struct {
		name     string
		key, rng string
		customer crypto.CustomerKey
		change   func(index.Tx) error
	}{
		{"object under another name", "alias", "bytes=0-99", nil, copied("sealed", "alias")},
		{"object over another", "single", "bytes=0-99", nil, copied("sealed", "single")},
		{"objects of one client exchanged", "two", "bytes=0-99", customerKey, copied("one", "two")},
		{"chunks swapped", "sealed", "bytes=0-99", nil, swapped("sealed")},
		{"chunks swapped, far from what is read", "sealed", "bytes=140000-140099", nil, swapped("sealed")},
		{"chunk doubled", "single", "bytes=0-99", nil, onPage("single", func(p *index.Page) { p.Chunks[1] = p.Chunks[0] })},
		{"chunks of a client's swapped", "one", "bytes=0-99", customerKey, swapped("one")},
		{"content type", "sealed", "bytes=0-99", nil, changed("sealed", func(o *index.Object) { o.Attributes.ContentType = "text/html" })},
		{"tags", "sealed", "bytes=0-99", nil, changed("sealed", func(o *index.Object) { o.Attributes.Tags = map[string]string{"a": "b"} })},
		{"ETag", "sealed", "bytes=0-99", nil, changed("sealed", func(o *index.Object) { o.ETag += "0" })},
		{"time", "put one", "bytes=0-99", nil, changed("put one", func(o *index.Object) { o.Modified = o.Modified.Add(1) })},
		{"key id", "put one", "bytes=0-99", nil, changed("put one", func(o *index.Object) { o.Encryption.KeyID = "other" })},
		{"algorithm", "put one", "bytes=0-99", nil, changed("put one", func(o *index.Object) { o.Encryption.Algorithm = "KMS" })},
		{"chunk dropped", "single", "bytes=0-99", nil, func(tx index.Tx) error {
			obj, err := index.Get(tx, index.ObjectKey("check", "single"))
			part := first(index.Scan(tx, index.PartsOf(obj.Content)))
			page := first(index.Scan(tx, index.PagesOf(part.Record.Manifest)))
			size := int64(page.Record.Chunks[1].Size)
			page.Record.Chunks = append(page.Record.Chunks[:1], page.Record.Chunks[2:]...)
			part.Record.Chunks--
			part.Record.Size -= size
			obj.Size -= size
			return errors.Join(err, index.Put(tx, page.Key, &page.Record), index.Put(tx, part.Key, &part.Record),
				index.Put(tx, index.ObjectKey("check", "single"), &obj))
		}},
		{"contents of one size exchanged", "put one", "bytes=0-99", nil, changed("put one", func(o *index.Object) { o.Content[0] ^= 1 })},
		{"directory entries swapped", "sealed", "bytes=0-99", nil, func(tx index.Tx) error {
			id, err := contentOf(tx, "sealed")
			page := first(index.Scan(tx, index.DirectoryOf(id)))
			p := page.Record.Parts
			p[0], p[1] = p[1], p[0]
			return errors.Join(err, index.Put(tx, page.Key, &page.Record))
		}},
		{"parts swapped", "sealed", "bytes=0-99", nil, func(tx index.Tx) error {
			id, err := contentOf(tx, "sealed")
			one, err1 := index.Get(tx, index.PartKey(id, 1))
			two, err2 := index.Get(tx, index.PartKey(id, 2))
			return errors.Join(err, err1, err2, index.Put(tx, index.PartKey(id, 1), &two), index.Put(tx, index.PartKey(id, 2), &one))
		}},
		{"small contents exchanged", "small one", "bytes=0-9", nil, func(tx index.Tx) error {
			id, err := contentOf(tx, "small one")
			part := first(index.Scan(tx, index.PartsOf(id)))
			in, err2 := index.Get(tx, index.InlineKey(part.Record.Manifest))
			in.ID[0] ^= 1
			return errors.Join(err, err2, index.Put(tx, index.InlineKey(part.Record.Manifest), &in))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, idx := exchangeStore(t)
			if err := idx.Update(t.Context(), test.change); err != nil {
				t.Fatal(err)
			}
			wantRefused(t, e, test.key, test.rng, test.customer)
		})
	}
}

// TestOlderPart puts the record of a part back that was uploaded again since, with its pages. Its
// chunks are there, because another part has them, too.
func TestOlderPart(t *testing.T) {
	for _, sse := range []string{"", "AES256"} {
		for _, parts := range []int{1, 2} {
			e, idx := memoryStore(t, &engine.Options{ChunkSize: 32 << 10, Keys: keys(t)})
			id := mustInitiate(t, e, "check", "key", sse)
			content, _ := index.ParseContentID(id)
			older := random(1, 5*32<<10)
			mustPart(t, e, "check", "key", id, 1, older)
			var part index.Part
			var page index.Page
			err := idx.View(t.Context(), func(r index.Reader) (err error) {
				if part, err = index.Get(r, index.PartKey(content, 1)); err == nil {
					page, err = index.Get(r, index.PageKey(part.Manifest, 0))
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			keep := mustInitiate(t, e, "check", "keep", "") // holds the chunks of a plain part
			mustPart(t, e, "check", "keep", keep, 1, older)
			list := []engine.CompletedPart{{PartNumber: 1, ETag: mustPart(t, e, "check", "key", id, 1, random(2, len(older))).ETag}}
			if parts == 2 {
				list = append(list, engine.CompletedPart{PartNumber: 2, ETag: mustPart(t, e, "check", "key", id, 2, older).ETag})
			}
			mustComplete(t, e, "check", "key", id, list...)
			err = idx.Update(t.Context(), func(tx index.Tx) error {
				return errors.Join(index.Put(tx, index.PartKey(content, 1), &part), index.Put(tx, index.PageKey(part.Manifest, 0), &page))
			})
			if err != nil {
				t.Fatal(err)
			}
			if data, err := readWith(e, "key", "", nil); asCorruption(err) == nil {
				t.Errorf("%q, %d parts: %d bytes, %v, want a CorruptionError", sse, parts, len(data), err)
			}
			if data, err := readWith(e, "key", "bytes=0-99", nil); asCorruption(err) == nil {
				t.Errorf("%q, %d parts: a range: %d bytes, %v, want a CorruptionError", sse, parts, len(data), err)
			}
			if res := checkAll(t, e); len(res.Problems) == 0 {
				t.Errorf("%q, %d parts: Check says nothing", sse, parts)
			}
		}
	}
}

// TestExchangedUpload changes what an open upload's record says. No part is taken on its word, nor
// an object made.
func TestExchangedUpload(t *testing.T) {
	for name, change := range map[string]func(*index.Upload){
		"attributes": func(u *index.Upload) { u.Attributes.Metadata = map[string]string{"role": "admin"} },
		"key id":     func(u *index.Upload) { u.Encryption.KeyID = "other" },
		"algorithm":  func(u *index.Upload) { u.Encryption.Algorithm = "KMS" },
		"plain":      func(u *index.Upload) { u.Encryption = index.Encryption{} },
		"checksum":   func(u *index.Upload) { u.Checksum = index.Checksum{Algorithm: "SHA256", Type: "COMPOSITE"} },
	} {
		e, idx := memoryStore(t, &engine.Options{ChunkSize: 32 << 10, Keys: keys(t)})
		id := mustInitiate(t, e, "check", "key", "AES256")
		mustPart(t, e, "check", "key", id, 1, random(1, 100))
		content, _ := index.ParseContentID(id)
		err := idx.Update(t.Context(), func(tx index.Tx) error {
			up, err := index.Get(tx, index.UploadKey("check", "key", content))
			change(&up)
			return errors.Join(err, index.Put(tx, index.UploadKey("check", "key", content), &up))
		})
		if err != nil {
			t.Fatal(err)
		}
		wantUploadRefused(t, e, name, "key", id)
	}
}
