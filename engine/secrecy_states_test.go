package engine_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
)

// odd is a length that leaves most of a block of MD5 over, which a digest under way has to keep.
const odd = minPart + 63

// TestSecrecyOfStates has every operation handle encrypted content, for every kind of key, and
// looks for plaintext in all files after each: while uploads are open, completed and aborted, when
// the store is closed, killed, and opened again; and in what errors and events say.
func TestSecrecyOfStates(t *testing.T) {
	for _, kind := range sealings() {
		t.Run(kind.name, func(t *testing.T) {
			h := newHunt(t, kind)
			for _, step := range []struct {
				name string
				do   func(*hunt)
			}{
				{"put", huntPut}, {"parts", huntParts}, {"a sequential upload", huntSequential}, {"parts that are copies", huntPartCopies},
				{"copies", huntCopies}, {"remembered answers", huntAnswers}, {"managed uploads", huntManaged}, {"failures", huntFailures},
				{"rotation", huntRotation},
			} {
				step.do(h)
				h.look("after " + step.name)
			}
			for _, killed := range []bool{false, true} {
				h.reopen(killed)
				h.look("opened again")
				huntResumed(h)
				h.look("after going on")
			}
			mustReclaim(t, h.Engine)
			h.look("reclaimed")
			h.must(h.Close())
			h.look("closed at the end")
		})
	}
}

func huntPut(h *hunt) {
	for _, n := range []int{16, 60, 10_000, 3*odd + 1} {
		h.put("put", true, h.secret(n))
		h.look("after a put of one size")
	}
	h.put("repeats", true, bytes.Repeat(h.secret(1000), 200)) // compresses to what is to be found
	h.put("sealed", true, h.secret(2*odd))
	h.put("plain", false, h.source(2*odd))
	h.put("plain 2", false, h.source(odd))
	obj, err := h.GetObject(ctx(h), &engine.GetObjectRequest{Bucket: "bucket", Key: "sealed", SSECustomerKey: h.kind.customer})
	h.must(err)
	_, err = io.Copy(io.Discard, obj)
	h.must(errors.Join(err, obj.Close()))
}

func huntParts(h *hunt) {
	id := h.initiate("bucket", "parts", false)
	for n := 1; n <= 2; n++ {
		h.part("bucket", "parts", id, n, h.secret(odd))
	}
	h.part("bucket", "parts", id, 2, h.secret(odd)) // replaces one
	h.part("bucket", "parts", id, 3, h.secret(40))
	h.look("with an upload open")
	h.complete("bucket", "parts", id)
	gone := h.initiate("bucket", "gone", false)
	h.part("bucket", "gone", gone, 1, h.secret(odd))
	_, err := h.AbortMultipartUpload(ctx(h), &engine.AbortMultipartUploadRequest{Bucket: "bucket", Key: "gone", UploadID: gone})
	h.must(err)
}

// huntSequential looks after every part: each length leaves something else over.
func huntSequential(h *hunt) {
	for _, key := range []string{"sequential", "sequential, aborted"} {
		id := h.initiate("bucket", key, true)
		for n, size := range []int{odd, minPart, minPart + 17, minPart + 40, 16, 60} {
			// In between there are parts that are too short for Complete, but not for UploadPart.
			h.part("bucket", key, id, n+1, h.secret(size))
			h.look("after a part of a sequential upload")
		}
		_, err := h.AbortMultipartUpload(ctx(h), &engine.AbortMultipartUploadRequest{Bucket: "bucket", Key: key, UploadID: id})
		h.must(err)
	}
	id := h.initiate("bucket", "sequential", true)
	for n, size := range []int{odd, odd, 50} {
		h.part("bucket", "sequential", id, n+1, h.secret(size))
	}
	h.complete("bucket", "sequential", id)
	h.initiate("bucket", "never begun", true)
	open := h.initiate("bucket", "open", true)
	h.part("bucket", "open", open, 1, h.secret(odd))
}

func huntPartCopies(h *hunt) {
	for _, sequential := range []bool{false, true} {
		id := h.initiate("bucket", "of copies", sequential)
		h.copyPart("of copies", id, 1, "sealed", true)
		h.look("after a copy of what is sealed")
		h.copyPart("of copies", id, 2, "plain 2", false)
		h.look("after a copy of what is not")
		h.part("bucket", "of copies", id, 3, h.secret(33))
		h.look("after a part behind copies")
		h.complete("bucket", "of copies", id)
	}
}

func huntCopies(h *hunt) {
	h.copyObject("sealed from sealed", "sealed", true, true)
	h.copyObject("sealed from plain", "plain", false, true)
	h.copyObject("sealed", "sealed", true, true) // onto itself
	h.copyObject("parts from parts", "parts", true, true)
	h.look("after copies into what is sealed")
	// What is copied out of it into the clear may stand in volumes from then on.
	h.put("to show", true, h.source(2*odd))
	h.look("before a copy into the clear")
	h.copyObject("shown", "to show", true, false)
}

func huntAnswers(h *hunt) {
	for _, sequential := range []bool{false, true} {
		id := h.initiate("s3-bucket", "answered", sequential)
		list := []engine.CompletedPart{h.part("s3-bucket", "answered", id, 1, h.secret(odd))}
		for range 2 {
			_, err := h.CompleteMultipartUpload(ctx(h), &engine.CompleteMultipartUploadRequest{Bucket: "s3-bucket", Key: "answered", UploadID: id, Parts: list})
			h.must(err)
		}
		h.look("after a second Complete")
	}
}

func huntManaged(h *hunt) {
	request := func(body io.Reader, size int64) *engine.UploadRequest {
		return &engine.UploadRequest{
			Bucket: "bucket", Key: "managed", Body: body, Size: size, PartSize: minPart,
			EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm(h.kind.sse), SSECustomerKey: h.kind.customer},
		}
	}
	for _, sequential := range []bool{false, true} {
		body := h.secret(3*minPart + 45)
		req := request(bytes.NewReader(body), int64(len(body)))
		req.Sequential = sequential
		_, err := h.Upload(ctx(h), req)
		h.must(err)
		h.look("after a managed upload")
		body = h.secret(2*minPart + 45)
		req = request(io.MultiReader(bytes.NewReader(body), failingBody{io.ErrUnexpectedEOF}), 0)
		req.Sequential, req.KeepParts = sequential, true
		_, err = h.Upload(ctx(h), req)
		h.fails(err, engine.ErrIncompleteBody)
		h.look("after a managed upload that failed and is kept")
		kept := request(bytes.NewReader(body), int64(len(body)))
		kept.UploadID, kept.Sequential = asError(h, err).UploadID, sequential
		_, err = h.Upload(ctx(h), kept)
		h.must(err)
		req.KeepParts, req.Body = false, io.MultiReader(bytes.NewReader(body), failingBody{io.ErrUnexpectedEOF})
		_, err = h.Upload(ctx(h), req)
		h.fails(err, engine.ErrIncompleteBody)
	}
}

func huntFailures(h *hunt) {
	for _, sequential := range []bool{false, true} {
		id := h.initiate("bucket", "fails", sequential)
		h.part("bucket", "fails", id, 1, h.secret(odd))
		wrong := uint64(1)
		for _, size := range []int{60, odd} {
			for _, fail := range []struct {
				spoil func(req *engine.UploadPartRequest)
				want  error
			}{
				{func(req *engine.UploadPartRequest) { req.ContentMD5 = base64MD5(nil) }, engine.ErrInvalidDigest},
				{func(req *engine.UploadPartRequest) { req.CRC64 = &wrong }, engine.ErrInvalidCRC64},
				{func(req *engine.UploadPartRequest) { req.Size = 1 << 20 }, engine.ErrIncompleteBody},
				{func(req *engine.UploadPartRequest) { req.Size = 8 }, engine.ErrInvalidArgument},
				{func(req *engine.UploadPartRequest) {
					req.Checksum = engine.Checksum{Algorithm: "SHA256", Value: inBase64(checksumOf("SHA256"))}
				}, engine.ErrBadDigest},
				{func(req *engine.UploadPartRequest) {
					req.Body = io.MultiReader(req.Body, failingBody{errors.New("the client is gone")})
				}, engine.ErrIncompleteBody},
				{func(req *engine.UploadPartRequest) { req.SSECustomerKey = random(7, 31) }, nil},
				{func(req *engine.UploadPartRequest) { req.SSECustomerKey = random(7, 32) }, nil},
				{func(req *engine.UploadPartRequest) { req.UploadID = strings.Repeat("A", 32) }, engine.ErrNoSuchUpload},
			} {
				req := h.partOf("bucket", "fails", id, 2, bytes.NewReader(h.secret(size)))
				fail.spoil(req)
				_, err := h.UploadPart(ctx(h), req)
				if err == nil {
					h.Error("a part that had to fail did not")
				}
				h.fails(err, orError(fail.want, err))
			}
		}
		ended, end := context.WithCancel(ctx(h))
		_, err := h.UploadPart(ended, h.partOf("bucket", "fails", id, 2, io.MultiReader(bytes.NewReader(h.secret(odd)), endingBody(end))))
		h.fails(err, engine.ErrRequestTimeout)
		h.look("after parts that failed")
		_, err = h.CompleteMultipartUpload(ctx(h), &engine.CompleteMultipartUploadRequest{
			Bucket: "bucket", Key: "fails", UploadID: id, Parts: []engine.CompletedPart{{PartNumber: 1, ETag: "no"}},
		})
		h.fails(err, engine.ErrInvalidPart)
	}
	_, err := h.PutObject(ctx(h), &engine.PutObjectRequest{
		Bucket: "bucket", Key: "fails", Body: bytes.NewReader(h.secret(10_000)), ContentMD5: base64MD5(nil),
		EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm(h.kind.sse), SSECustomerKey: h.kind.customer},
	})
	h.fails(err, engine.ErrInvalidDigest)
	if h.kind.customer != nil {
		_, err = h.GetObject(ctx(h), &engine.GetObjectRequest{Bucket: "bucket", Key: "sealed", SSECustomerKey: random(7, 32)})
		h.fails(err, engine.ErrAccessDenied)
	}
}

// orError is want, or err where it does not matter which.
func orError(want, err error) error {
	if want == nil {
		return err
	}
	return want
}

// endingBody ends the call that reads it.
type endingBody context.CancelFunc

func (b endingBody) Read([]byte) (int, error) {
	b()
	return 0, io.ErrUnexpectedEOF
}

func huntRotation(h *hunt) {
	_, err := h.opts.Keys.(*crypto.Keyring).Rotate()
	h.must(err)
	_, err = h.RotateKeys(ctx(h), &engine.RotateKeysRequest{})
	h.must(err)
}

// huntResumed goes on with what was open.
func huntResumed(h *hunt) {
	for up, err := range h.Uploads(ctx(h), &engine.ListMultipartUploadsRequest{Bucket: "bucket"}) {
		h.must(err)
		if up.Key == "open" || up.Key == "never begun" {
			parts, err := h.ListParts(ctx(h), &engine.ListPartsRequest{Bucket: "bucket", Key: up.Key, UploadID: up.UploadID})
			h.must(err)
			h.part("bucket", up.Key, up.UploadID, len(parts.Parts)+1, h.secret(odd))
		}
	}
}

// TestSecrecyHunt proves that the hunt finds what there is to find: what an upload without
// encryption leaves in volumes and, of its digest under way, in the index; and what an error says.
func TestSecrecyHunt(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, &engine.Options{ChunkSize: 64 << 10})
	id := mustSequential(t, e, "key", "")
	mustPart(t, e, "bucket", "key", id, 1, random(1, minPart))
	var volumes, digest runs
	tail := random(2, 40)
	volumes.add(random(1, minPart))
	digest.add(tail[23:39])
	mustPart(t, e, "bucket", "key", id, 2, tail)
	found := map[string]bool{}
	for _, file := range sortedKeys(regularFiles(t, dir)) {
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		where, _, _ := strings.Cut(file, "/")
		found[where+" volumes"] = found[where+" volumes"] || volumes.findIn(data) >= 0
		found[where+" digest"] = found[where+" digest"] || digest.findIn(data) >= 0
	}
	if !found["volumes volumes"] || !found["index digest"] || found["index volumes"] {
		t.Errorf("the hunt finds %v", found)
	}
}
