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

// authenticatedStore is a store with a key of its own, and plain objects and encrypted ones of
// which some parts have one size, and some chunks.
func authenticatedStore(t *testing.T) (*engine.Engine, *index.Memory) {
	t.Helper()
	e, idx := memoryStore(t, &engine.Options{ChunkSize: 32 << 10, Keys: keys(t), AuthenticateRecords: true})
	mustObject(t, e, "check", "sealed", "AES256", random(1, 5*32<<10), random(2, 5*32<<10))
	mustObject(t, e, "check", "parts", "", random(3, 5*32<<10), random(4, 5*32<<10))
	mustObject(t, e, "check", "other", "", random(5, 5*32<<10), random(6, 5*32<<10))
	for i, key := range []string{"put", "second"} {
		mustPut(t, e, engine.PutObjectRequest{Bucket: "check", Key: key, Body: bytes.NewReader(random(uint64(20+i), 5*32<<10))})
		mustPut(t, e, engine.PutObjectRequest{Bucket: "check", Key: "small " + key, Body: bytes.NewReader(random(uint64(30+i), 100))})
	}
	return e, idx
}

// exchangedParts gives the parts of one number of two objects to each other, and with them what
// says which they are.
func exchangedParts(one, two string, number int) func(index.Tx) error {
	return func(tx index.Tx) error {
		var keys [2]index.Key[index.Part]
		var parts [2]index.Part
		var pages [2]index.Directory
		var contents [2]index.ContentID
		var errs []error
		for i, key := range []string{one, two} {
			id, err := contentOf(tx, key)
			contents[i], keys[i] = id, index.PartKey(id, number)
			part, err2 := index.Get(tx, keys[i])
			page, err3 := index.Get(tx, index.DirectoryKey(id, 0))
			parts[i], pages[i] = part, page
			errs = append(errs, err, err2, err3)
		}
		pages[0].Parts[number-1].Manifest, pages[1].Parts[number-1].Manifest = parts[1].Manifest, parts[0].Manifest
		for i := range keys {
			errs = append(errs, index.Put(tx, keys[i], &parts[1-i]), index.Put(tx, index.DirectoryKey(contents[i], 0), &pages[i]))
		}
		return errors.Join(errs...)
	}
}

// TestAuthenticatedRecords changes records of plain objects, and turns encrypted ones plain, as
// whoever writes the disk can, under right checksums. With Options.AuthenticateRecords nothing of
// it is served, and Check tells it.
func TestAuthenticatedRecords(t *testing.T) {
	for _, test := range []struct {
		name     string
		key, rng string
		change   func(index.Tx) error
	}{
		{"encrypted object replaced by a plain one", "sealed", "bytes=0-99", copied("parts", "sealed")},
		{"encrypted object turned plain", "sealed", "bytes=0-99", changed("sealed", func(o *index.Object) { o.Encryption, o.MAC = index.Encryption{}, nil })},
		{"MAC taken off", "put", "bytes=0-99", changed("put", func(o *index.Object) { o.MAC = nil })},
		{"object under another name", "alias", "bytes=0-99", copied("parts", "alias")},
		{"object over another", "put", "bytes=0-99", copied("second", "put")},
		{"content type", "put", "bytes=0-99", changed("put", func(o *index.Object) { o.Attributes.ContentType = "text/html" })},
		{"ETag", "put", "bytes=0-99", changed("put", func(o *index.Object) { o.ETag += "0" })},
		{"content of another", "put", "bytes=0-99", func(tx index.Tx) error {
			id, err := contentOf(tx, "second")
			return errors.Join(err, changed("put", func(o *index.Object) { o.Content = id })(tx))
		}},
		{"chunks swapped", "parts", "bytes=0-99", swapped("parts")},
		{"chunk doubled", "put", "bytes=0-99", onPage("put", func(p *index.Page) { p.Chunks[1] = p.Chunks[0] })},
		{"chunk exchanged", "put", "bytes=0-99", func(tx index.Tx) error {
			var page index.Page
			err := onPage("second", func(p *index.Page) { page = *p })(tx)
			return errors.Join(err, onPage("put", func(p *index.Page) { p.Chunks[0] = page.Chunks[0] })(tx))
		}},
		{"page's MAC taken off", "put", "bytes=0-99", onPage("put", func(p *index.Page) { p.MAC = nil })},
		{"directory entries swapped", "parts", "bytes=0-99", func(tx index.Tx) error {
			id, err := contentOf(tx, "parts")
			page := first(index.Scan(tx, index.DirectoryOf(id)))
			p := page.Record.Parts
			p[0], p[1] = p[1], p[0]
			return errors.Join(err, index.Put(tx, page.Key, &page.Record))
		}},
		{"parts of two objects exchanged", "parts", "bytes=0-99", exchangedParts("parts", "other", 1)},
		{"directories and parts of two objects exchanged", "parts", "bytes=0-99", func(tx index.Tx) error {
			return errors.Join(exchangedParts("parts", "other", 1)(tx), exchangedParts("parts", "other", 2)(tx))
		}},
		{"small contents exchanged", "small put", "bytes=0-9", func(tx index.Tx) error {
			id, err := contentOf(tx, "small put")
			id2, err2 := contentOf(tx, "small second")
			part, other := first(index.Scan(tx, index.PartsOf(id))), first(index.Scan(tx, index.PartsOf(id2)))
			in, err3 := index.Get(tx, index.InlineKey(other.Record.Manifest))
			return errors.Join(err, err2, err3, index.Put(tx, index.InlineKey(part.Record.Manifest), &in))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, idx := authenticatedStore(t)
			if err := idx.Update(t.Context(), test.change); err != nil {
				t.Fatal(err)
			}
			wantRefused(t, e, test.key, test.rng, nil)
		})
	}
}

// TestAuthenticatedHead changes what HeadObject says of a plain object.
func TestAuthenticatedHead(t *testing.T) {
	e, idx := authenticatedStore(t)
	if err := idx.Update(t.Context(), changed("put", func(o *index.Object) { o.Attributes.ContentType = "text/html" })); err != nil {
		t.Fatal(err)
	}
	if _, err := e.HeadObject(t.Context(), &engine.HeadObjectRequest{Bucket: "check", Key: "put"}); asCorruption(err) == nil {
		t.Errorf("HeadObject: %v, want a CorruptionError", err)
	}
}

// TestAuthenticatedMoves makes objects whose parts move: another selection at Complete, and copies
// by reference. They are sound, and exchanging something in them is not.
func TestAuthenticatedMoves(t *testing.T) {
	for _, sse := range []string{"", "AES256"} {
		e, idx := authenticatedStore(t)
		id := mustInitiate(t, e, "check", "selected", sse)
		var list []engine.CompletedPart
		for n := 1; n <= 5; n++ {
			list = append(list, engine.CompletedPart{PartNumber: n, ETag: mustPart(t, e, "check", "selected", id, n, random(uint64(n), 5*32<<10)).ETag})
		}
		mustComplete(t, e, "check", "selected", id, list[1], list[3])
		if _, err := e.CopyObject(t.Context(), &engine.CopyObjectRequest{
			Bucket: "check", Key: "copy", SourceBucket: "check", SourceKey: "selected", EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm(sse)},
		}); err != nil {
			t.Fatal(err)
		}
		id = mustInitiate(t, e, "check", "of parts", sse)
		list = nil
		for n, source := range []string{"selected", "put", "small put"} {
			part, err := e.UploadPartCopy(t.Context(), &engine.UploadPartCopyRequest{
				Bucket: "check", Key: "of parts", UploadID: id, PartNumber: n + 1, SourceBucket: "check", SourceKey: source,
			})
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, engine.CompletedPart{PartNumber: n + 1, ETag: part.ETag})
		}
		mustComplete(t, e, "check", "of parts", id, list...)
		if res := checkAll(t, e); len(res.Problems) > 0 {
			t.Errorf("%q: %v", sse, res.Problems)
		}
		two := append(random(2, 5*32<<10), random(4, 5*32<<10)...)
		for key, want := range map[string][]byte{
			"selected": two, "copy": two, "of parts": append(append(bytes.Clone(two), random(20, 5*32<<10)...), random(30, 100)...),
		} {
			if got := readAll(t, e, "check", key); !bytes.Equal(got, want) {
				t.Errorf("%q: %s has %d bytes, not what was stored", sse, key, len(got))
			}
		}
		if err := idx.Update(t.Context(), swapped("copy")); err != nil {
			t.Fatal(err)
		}
		wantRefused(t, e, "selected", "bytes=0-99", nil)
	}
}

// TestAuthenticatedUpload changes what the record of a plain upload says, and turns an encrypted
// one plain. No part is taken on its word, nor an object made.
func TestAuthenticatedUpload(t *testing.T) {
	for _, test := range []struct {
		name, sse string
		change    func(*index.Upload)
	}{
		{"turned plain", "AES256", func(u *index.Upload) { u.Encryption, u.MAC = index.Encryption{}, nil }},
		{"attributes", "", func(u *index.Upload) { u.Attributes.Metadata = map[string]string{"role": "admin"} }},
		{"checksum", "", func(u *index.Upload) { u.Checksum = index.Checksum{Algorithm: "SHA256", Type: "COMPOSITE"} }},
		{"no MAC", "", func(u *index.Upload) { u.MAC = nil }},
	} {
		e, idx := authenticatedStore(t)
		id := mustInitiate(t, e, "check", "key", test.sse)
		mustPart(t, e, "check", "key", id, 1, random(1, 100))
		content, _ := index.ParseContentID(id)
		err := idx.Update(t.Context(), func(tx index.Tx) error {
			up, err := index.Get(tx, index.UploadKey("check", "key", content))
			test.change(&up)
			return errors.Join(err, index.Put(tx, index.UploadKey("check", "key", content), &up))
		})
		if err != nil {
			t.Fatal(err)
		}
		wantUploadRefused(t, e, test.name, "key", id)
	}
}

// TestAuthenticatedUploads exchanges the records of two open plain uploads of one key, and their
// parts.
func TestAuthenticatedUploads(t *testing.T) {
	for _, what := range []string{"uploads", "parts"} {
		e, idx := authenticatedStore(t)
		one, two := mustInitiate(t, e, "check", "key", ""), mustInitiate(t, e, "check", "key", "")
		mustPart(t, e, "check", "key", one, 1, random(1, 5*32<<10))
		mustPart(t, e, "check", "key", two, 1, random(2, 5*32<<10))
		from, _ := index.ParseContentID(one)
		to, _ := index.ParseContentID(two)
		err := idx.Update(t.Context(), func(tx index.Tx) error {
			up, err := index.Get(tx, index.UploadKey("check", "key", from))
			part, err2 := index.Get(tx, index.PartKey(from, 1))
			if what == "uploads" {
				return errors.Join(err, err2, index.Put(tx, index.UploadKey("check", "key", to), &up))
			}
			return errors.Join(err, err2, index.Put(tx, index.PartKey(to, 1), &part))
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = e.CompleteMultipartUpload(t.Context(), &engine.CompleteMultipartUploadRequest{Bucket: "check", Key: "key", UploadID: two, All: true})
		if asCorruption(err) == nil {
			t.Errorf("%s exchanged: Complete: %v, want a CorruptionError", what, err)
		}
	}
}

// TestAuthenticatedStore opens a store that was made with a key of its own in every way, and one
// that was not.
func TestAuthenticatedStore(t *testing.T) {
	dir, ring := t.TempDir(), keys(t)
	e := open(t, dir, &engine.Options{Keys: ring, AuthenticateRecords: true})
	mustObject(t, e, "bucket", "plain", "", random(1, 1000))
	mustClose(t, e)

	for name, o := range map[string]*engine.Options{
		"without keys":                 nil,
		"under a ring without the key": {Keys: keys(t)},
		"denied":                       {Keys: &hookedKeys{KeyProvider: ring, unwrap: func(string) error { return crypto.ErrAccessDenied }}, AuthenticateRecords: true},
	} {
		want := map[string]error{"without keys": engine.ErrKmsServiceNotEnabled, "denied": crypto.ErrAccessDenied}[name]
		if want == nil {
			want = crypto.ErrKeyNotFound
		}
		if e, err := engine.Open(t.Context(), dir, o); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
			if err == nil {
				mustClose(t, e)
			}
		}
	}

	// The key is not lost with the generation of the ring that it was wrapped under.
	mustRotate(t, ring)
	e = open(t, dir, &engine.Options{Keys: ring})
	if _, err := e.RotateKeys(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	mustClose(t, e)
	for _, set := range []bool{false, true} {
		e = open(t, dir, &engine.Options{Keys: onlyNewest(ring), AuthenticateRecords: set})
		if got := readAll(t, e, "bucket", "plain"); !bytes.Equal(got, random(1, 1000)) {
			t.Errorf("the object has %d bytes", len(got))
		}
		mustObject(t, e, "bucket", "more", "", random(2, 1000))
		mustClose(t, e)
	}

	dir = t.TempDir()
	e = open(t, dir, &engine.Options{Keys: ring})
	mustObject(t, e, "bucket", "plain", "", random(1, 1000))
	mustClose(t, e)
	if _, err := engine.Open(t.Context(), dir, &engine.Options{Keys: ring, AuthenticateRecords: true}); !errors.Is(err, engine.ErrInvalidArgument) {
		t.Errorf("a store without a key: %v", err)
	}
	if _, err := engine.Open(t.Context(), t.TempDir(), &engine.Options{AuthenticateRecords: true}); !errors.Is(err, engine.ErrInvalidArgument) {
		t.Errorf("without a provider: %v", err)
	}
}

// wantUploadRefused wants nothing stored in an upload, no object made of it, and Check to name it.
func wantUploadRefused(t *testing.T, e *engine.Engine, name, key, id string) {
	t.Helper()
	ctx := context.Background()
	mustPut(t, e, engine.PutObjectRequest{Bucket: "check", Key: "source", Body: bytes.NewReader(random(1, 100))})
	_, err1 := e.UploadPart(ctx, &engine.UploadPartRequest{Bucket: "check", Key: key, UploadID: id, PartNumber: 2, Body: bytes.NewReader(random(2, 100))})
	_, err2 := e.UploadPartCopy(ctx, &engine.UploadPartCopyRequest{
		Bucket: "check", Key: key, UploadID: id, PartNumber: 2, SourceBucket: "check", SourceKey: "source",
	})
	_, err3 := e.CompleteMultipartUpload(ctx, &engine.CompleteMultipartUploadRequest{Bucket: "check", Key: key, UploadID: id, All: true})
	for op, err := range map[string]error{"UploadPart": err1, "UploadPartCopy": err2, "Complete": err3} {
		if asCorruption(err) == nil {
			t.Errorf("%s changed: %s: %v, want a CorruptionError", name, op, err)
		}
	}
	found := false
	for _, p := range checkAll(t, e).Problems {
		found = found || p.UploadID == id && asCorruption(p.Err) != nil
	}
	if !found {
		t.Errorf("%s changed: Check says nothing", name)
	}
}
