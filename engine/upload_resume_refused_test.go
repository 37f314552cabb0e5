package engine_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"sync/atomic"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// A fillingIndex says that its disk is full, when it is.
type fillingIndex struct {
	*index.Memory
	full atomic.Bool
}

func (s *fillingIndex) Free() (int64, error) {
	if s.full.Load() {
		return 0, nil
	}
	return math.MaxInt64, nil
}

// A resumable is an upload with two parts, and what may go wrong with it.
type resumable struct {
	*engine.Engine
	idx  *fillingIndex
	deny atomic.Bool // the provider of keys gives none
	data []byte
	req  engine.UploadRequest // that resumes it, but for the body
}

func newResumable(t *testing.T, begin engine.InitiateMultipartUploadRequest) *resumable {
	t.Helper()
	r := &resumable{idx: &fillingIndex{Memory: index.NewMemory()}, data: random(1, 2*minPart+5)}
	var err error
	r.Engine, err = engine.OpenStores(t.Context(), r.idx, blob.NewMemory(0), &engine.Options{
		ChunkSize: managedChunk, KeyLifetime: 1,
		Keys: &gatedKeys{KeyProvider: keys(t), unwrap: func(context.Context) error {
			if r.deny.Load() {
				return crypto.ErrAccessDenied
			}
			return nil
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		checkStore(t, r.Engine)
		r.Close()
	})
	mustBucket(t, r.Engine, "bucket")
	begin.Bucket, begin.Key = "bucket", "key"
	up, err := r.InitiateMultipartUpload(t.Context(), &begin)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 2 {
		_, err := r.UploadPart(t.Context(), &engine.UploadPartRequest{
			Bucket: "bucket", Key: "key", UploadID: up.UploadID, PartNumber: n + 1, Body: bytes.NewReader(r.data[n*minPart:][:minPart]),
			SSECustomerKey: begin.SSECustomerKey,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	r.req = engine.UploadRequest{
		Bucket: "bucket", Key: "key", UploadID: up.UploadID, Size: int64(len(r.data)), PartSize: minPart,
		EncryptionRequest: engine.EncryptionRequest{SSECustomerKey: begin.SSECustomerKey},
	}
	return r
}

func (r *resumable) checkParts(t *testing.T) {
	t.Helper()
	if got := partsOf(t, r.Engine, "bucket", "key", r.req.UploadID); len(got) != 2 {
		t.Errorf("the upload has parts %v, had 2", got)
	}
}

// An unreadBody must not be read, in either way.
type unreadBody struct{ t *testing.T }

func (b unreadBody) Read([]byte) (int, error) {
	b.t.Error("the body is read")
	return 0, io.EOF
}

func (b unreadBody) ReadAt([]byte, int64) (int, error) { return b.Read(nil) }

// TestUploadResumeRefused resumes uploads in ways that none of their parts could be sent: that is
// found out before the body is read, and the parts stay. The same request in order completes them.
func TestUploadResumeRefused(t *testing.T) {
	type request = engine.UploadRequest
	type begin = engine.InitiateMultipartUploadRequest
	customer := begin{EncryptionRequest: engine.EncryptionRequest{SSECustomerKey: customerKey}}
	crc := begin{Checksum: engine.Checksum{Algorithm: crypto.CRC32}}
	for name, row := range map[string]struct {
		begin  begin
		spoil  func(*resumable, *request)
		stream bool // it is refused only when the parts would be sent again
		want   error
	}{
		"no key of the client's": {customer, func(_ *resumable, req *request) { req.SSECustomerKey = nil }, false, engine.ErrInvalidRequest},
		"another key":            {customer, func(_ *resumable, req *request) { req.SSECustomerKey = random(10, crypto.CustomerKeySize) }, false, engine.ErrInvalidRequest},
		"a key too many":         {begin{}, func(_ *resumable, req *request) { req.SSECustomerKey = customerKey }, false, engine.ErrInvalidRequest},
		"the provider denies the key": {
			begin{EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAES256}},
			func(r *resumable, _ *request) { r.deny.Store(true) }, false, engine.ErrAccessDenied,
		},
		"the disk is full":       {begin{}, func(r *resumable, _ *request) { r.idx.full.Store(true) }, true, engine.ErrNoSpace},
		"sequential":             {begin{Sequential: true}, func(*resumable, *request) {}, true, engine.ErrPartAlreadyExist},
		"a checksum of none":     {begin{}, func(_ *resumable, req *request) { req.Checksum.Algorithm = crypto.CRC32 }, false, engine.ErrInvalidRequest},
		"a value of none":        {begin{}, func(_ *resumable, req *request) { req.Checksum.Value = "AAAAAA==" }, false, engine.ErrInvalidRequest},
		"a trailer of none":      {begin{}, func(_ *resumable, req *request) { req.Checksum.Trailer = func() (string, error) { return "", nil } }, false, engine.ErrInvalidRequest},
		"another algorithm":      {crc, func(_ *resumable, req *request) { req.Checksum.Algorithm = crypto.CRC32C }, false, engine.ErrInvalidRequest},
		"another type":           {crc, func(_ *resumable, req *request) { req.Checksum.Type = engine.ChecksumFullObject }, false, engine.ErrInvalidRequest},
		"an unknown algorithm":   {crc, func(_ *resumable, req *request) { req.Checksum.Algorithm = "MD4" }, false, engine.ErrInvalidRequest},
		"small PartSize":         {begin{}, func(_ *resumable, req *request) { req.PartSize = 1 }, false, engine.ErrInvalidArgument},
		"precondition not given": {begin{}, func(_ *resumable, req *request) { req.IfMatch = "etag" }, false, engine.ErrNoSuchKey},
	} {
		t.Run(name, func(t *testing.T) {
			r := newResumable(t, row.begin)
			for _, body := range []io.Reader{unreadBody{t}, onlyReader{unreadBody{t}}} {
				req := r.req
				req.Body = body
				row.spoil(r, &req)
				if _, at := body.(io.ReaderAt); at && row.stream {
					continue
				}
				_, err := r.Upload(t.Context(), &req)
				if !errors.Is(err, row.want) || asError(t, err).UploadID != req.UploadID {
					t.Errorf("error is %v, want %v", err, row.want)
				}
				r.checkParts(t)
			}
			r.deny.Store(false)
			r.idx.full.Store(false)
			r.req.Body = bytes.NewReader(r.data)
			if _, err := r.Upload(t.Context(), &r.req); err != nil {
				t.Errorf("in order: %v", err)
			}
		})
	}
}

// TestUploadResumeLate has a resumed upload refused when some of its parts have been compared or
// sent: with a key that is denied by then, and with a disk that is full by then. All parts stay, and
// the upload can be resumed once more.
func TestUploadResumeLate(t *testing.T) {
	for name, row := range map[string]struct {
		sse  engine.EncryptionAlgorithm
		late func(*resumable)
		want error
	}{
		"key":  {engine.EncryptionAES256, func(r *resumable) { r.deny.Store(true) }, engine.ErrAccessDenied},
		"disk": {"", func(r *resumable) { r.idx.full.Store(true) }, engine.ErrNoSpace},
	} {
		t.Run(name, func(t *testing.T) {
			for _, stream := range []bool{false, true} {
				r := newResumable(t, engine.InitiateMultipartUploadRequest{
					EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: row.sse},
				})
				req := r.req
				req.Parallel = 1
				body := &lateBody{Reader: bytes.NewReader(r.data), at: minPart, call: func() { row.late(r) }}
				if req.Body = body; stream {
					req.Body = onlyReader{body}
				}
				if _, err := r.Upload(t.Context(), &req); !errors.Is(err, row.want) {
					t.Errorf("error is %v, want %v", err, row.want)
				}
				r.checkParts(t)
				r.deny.Store(false)
				r.idx.full.Store(false)
				r.req.Body = bytes.NewReader(r.data)
				if _, err := r.Upload(t.Context(), &r.req); err != nil {
					t.Errorf("resumed once more: %v", err)
				}
			}
		})
	}
}

// A lateBody calls a function when it has been read up to a byte.
type lateBody struct {
	*bytes.Reader
	at   int64
	call func()
}

func (b *lateBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if b.Size()-int64(b.Len()) >= b.at {
		b.call()
	}
	return n, err
}

func (b *lateBody) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) >= b.at {
		b.call()
	}
	return b.Reader.ReadAt(p, off)
}

// TestUploadResumeFullDisk resumes an upload of which all parts are there: that needs no space.
func TestUploadResumeFullDisk(t *testing.T) {
	r := newResumable(t, engine.InitiateMultipartUploadRequest{})
	mustPart(t, r.Engine, "bucket", "key", r.req.UploadID, 3, r.data[2*minPart:])
	r.idx.full.Store(true)
	r.req.Body = bytes.NewReader(r.data)
	if _, err := r.Upload(t.Context(), &r.req); err != nil {
		t.Error(err)
	}
	checkObject(t, r.Engine, "key", cut(r.data))
}

// TestUploadResumeSequential resumes a sequential upload, which need not be said again.
func TestUploadResumeSequential(t *testing.T) {
	r := newResumable(t, engine.InitiateMultipartUploadRequest{Sequential: true})
	mustPart(t, r.Engine, "bucket", "key", r.req.UploadID, 3, r.data[2*minPart:])
	r.data = append(r.data[:2*minPart:2*minPart], random(2, 3*minPart)...)
	r.req.Size, r.req.Body = int64(len(r.data)), bytes.NewReader(r.data)
	// Part 3 is another, and cannot be replaced.
	if _, err := r.Upload(t.Context(), &r.req); !errors.Is(err, engine.ErrPartAlreadyExist) {
		t.Errorf("error is %v", err)
	}
	if got := partsOf(t, r.Engine, "bucket", "key", r.req.UploadID); len(got) != 3 {
		t.Errorf("the upload has parts %v", got)
	}
	r = newResumable(t, engine.InitiateMultipartUploadRequest{Sequential: true})
	r.data = append(r.data[:2*minPart:2*minPart], random(2, 5*minPart)...)
	r.req.Size, r.req.Body = int64(len(r.data)), bytes.NewReader(r.data)
	if _, err := r.Upload(t.Context(), &r.req); err != nil {
		t.Error(err)
	}
	checkObject(t, r.Engine, "key", cut(r.data))
}
