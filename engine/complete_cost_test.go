package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// TestRefusedCompletesHoldNobody has Complete refused for one reason after the other. Clients can have
// that as often as they like: so it must not take a transaction, in which all writers would wait while
// ten thousand parts are looked at, and it must not read more parts than it takes to know.
func TestRefusedCompletesHoldNobody(t *testing.T) {
	const parts = 300
	idx := newBuryingIndex()
	e, err := engine.OpenStores(t.Context(), idx, blob.NewMemory(0), &engine.Options{Keys: keys(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close() // without a Check: the parts have no content
	engine.StopSweeper(e)
	id, list := uploadOfParts(t, e, parts)
	mustPut(t, e, engine.PutObjectRequest{Bucket: "bucket", Key: "key", Body: strings.NewReader("there")})
	small := mustInitiate(t, e, "bucket", "small", "")
	var smalls []engine.CompletedPart
	for n := 1; n <= 2; n++ {
		smalls = append(smalls, engine.CompletedPart{PartNumber: n, ETag: mustPart(t, e, "bucket", "small", small, n, []byte("small")).ETag})
	}
	wrong := func(n int) []engine.CompletedPart {
		changed := slices.Clone(list)
		changed[n].ETag = strings.Repeat("0", 32)
		return changed
	}
	const all = parts + 10
	for _, test := range []struct {
		name string
		req  engine.CompleteMultipartUploadRequest
		want error
		most int // records passed in snapshots
	}{
		{"a part out of order", engine.CompleteMultipartUploadRequest{Parts: []engine.CompletedPart{list[1], list[0]}}, engine.ErrInvalidPartOrder, 0},
		{"a number out of range", engine.CompleteMultipartUploadRequest{Parts: []engine.CompletedPart{{PartNumber: engine.MaxPartNumber + 1}}}, engine.ErrInvalidPartOrder, 0},
		{"a list and All", engine.CompleteMultipartUploadRequest{Parts: list, All: true}, engine.ErrInvalidArgument, 0},
		{"no list", engine.CompleteMultipartUploadRequest{}, engine.ErrMalformedXML, all},
		{"another ETag of the first part", engine.CompleteMultipartUploadRequest{Parts: wrong(0)}, engine.ErrInvalidPart, 1},
		{"another ETag of the last part", engine.CompleteMultipartUploadRequest{Parts: wrong(parts - 1)}, engine.ErrInvalidPart, all},
		{"a part that is not there", engine.CompleteMultipartUploadRequest{Parts: append(slices.Clone(list), engine.CompletedPart{PartNumber: parts + 1})}, engine.ErrInvalidPart, all},
		{"another size", engine.CompleteMultipartUploadRequest{Parts: list, Size: 1}, engine.ErrInvalidRequest, all},
		{"an object that is there", engine.CompleteMultipartUploadRequest{Parts: list, Preconditions: engine.Preconditions{ForbidOverwrite: true}}, engine.ErrFileAlreadyExists, all},
		{"an object of another ETag", engine.CompleteMultipartUploadRequest{Parts: list, Preconditions: engine.Preconditions{IfMatch: "other"}}, engine.ErrPreconditionFailed, all},
		{"small parts", engine.CompleteMultipartUploadRequest{Key: "small", UploadID: small, Parts: smalls}, engine.ErrEntityTooSmall, all},
		{"no such upload", engine.CompleteMultipartUploadRequest{UploadID: strings.Repeat("0", 32), Parts: list}, engine.ErrNoSuchUpload, 0},
	} {
		test.req.Bucket, test.req.Key, test.req.UploadID = "bucket", orElse(test.req.Key, "key"), orElse(test.req.UploadID, id)
		_, _, _ = idx.did()
		_, err := e.CompleteMultipartUpload(t.Context(), &test.req)
		passed, _, updates := idx.did()
		if !errors.Is(err, test.want) || updates != 0 || passed > test.most {
			t.Errorf("%s: %v after %d updates and %d records, want %v after none and at most %d", test.name, err, updates, passed, test.want, test.most)
		}
	}
	_, _, _ = idx.did()
	if res := mustComplete(t, e, "bucket", "key", id, list...); res.Size != parts*5<<30 {
		t.Errorf("the object has %d bytes", res.Size)
	}
	if _, _, updates := idx.did(); updates != 1 {
		t.Errorf("Complete took %d updates", updates)
	}
}

// TestRepeatedCompletesHoldNobody asks for the answer to a Complete again, as S3's clients may.
func TestRepeatedCompletesHoldNobody(t *testing.T) {
	idx := newBuryingIndex()
	e := openStores(t, idx, blob.NewMemory(0), &engine.Options{Rules: engine.S3})
	engine.StopSweeper(e)
	id := mustInitiate(t, e, "bucket", "key", "")
	mustPart(t, e, "bucket", "key", id, 1, []byte("part"))
	want := mustComplete(t, e, "bucket", "key", id)
	_, _, _ = idx.did()
	if got := mustComplete(t, e, "bucket", "key", id); got.ETag != want.ETag || !got.LastModified.Equal(want.LastModified) {
		t.Errorf("the second answer is %+v, the first was %+v", got, want)
	}
	if _, _, updates := idx.did(); updates != 0 {
		t.Errorf("the second answer took %d updates", updates)
	}
}

// TestCompleteJudgesAtTheCommit changes what Complete has looked at just before its transaction.
func TestCompleteJudgesAtTheCommit(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(e *engine.Engine, id string)
		req    engine.CompleteMultipartUploadRequest
		want   error
	}{
		{"a part is replaced", func(e *engine.Engine, id string) {
			mustPart(t, e, "bucket", "key", id, 1, []byte("other"))
		}, engine.CompleteMultipartUploadRequest{}, engine.ErrInvalidPart},
		{"the upload is aborted", func(e *engine.Engine, id string) {
			mustAbort(t, e, "bucket", "key", id)
		}, engine.CompleteMultipartUploadRequest{}, engine.ErrNoSuchUpload},
		{"an object is put", func(e *engine.Engine, id string) {
			mustPut(t, e, engine.PutObjectRequest{Bucket: "bucket", Key: "key", Body: strings.NewReader("there")})
		}, engine.CompleteMultipartUploadRequest{Preconditions: engine.Preconditions{ForbidOverwrite: true}}, engine.ErrFileAlreadyExists},
		{"a part is added, which is given up", func(e *engine.Engine, id string) {
			mustPart(t, e, "bucket", "key", id, 2, []byte("other"))
		}, engine.CompleteMultipartUploadRequest{}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			idx := &hookedIndex{Memory: index.NewMemory()}
			e := openStores(t, idx, blob.NewMemory(0), nil)
			id := mustInitiate(t, e, "bucket", "key", "")
			part := mustPart(t, e, "bucket", "key", id, 1, []byte("part"))
			change := func() { test.change(e, id) }
			idx.before.Store(&change)
			req := test.req
			req.Bucket, req.Key, req.UploadID = "bucket", "key", id
			req.Parts = []engine.CompletedPart{{PartNumber: 1, ETag: part.ETag}}
			if _, err := e.CompleteMultipartUpload(t.Context(), &req); !errors.Is(err, test.want) {
				t.Errorf("CompleteMultipartUpload: %v, want %v", err, test.want)
			}
			if test.want == nil {
				if got := string(readAll(t, e, "bucket", "key")); got != "part" {
					t.Errorf("the object is %q", got)
				}
			}
		})
	}
}

// uploadOfParts begins an encrypted upload of this many parts of 5 GiB, of which there are the records
// alone.
func uploadOfParts(t *testing.T, e *engine.Engine, parts int) (id string, list []engine.CompletedPart) {
	t.Helper()
	id = mustInitiate(t, e, "bucket", "key", "AES256")
	content, ok := index.ParseContentID(id)
	if !ok {
		t.Fatalf("the upload has the id %q", id)
	}
	if err := engine.PutParts(t.Context(), e, "bucket", "key", content, 1, parts); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= parts; n++ {
		list = append(list, engine.CompletedPart{PartNumber: n, ETag: fmt.Sprintf("%032X", n)})
	}
	return id, list
}
