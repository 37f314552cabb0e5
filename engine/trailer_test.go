package engine_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
)

// A trailedBody says whether it has been read to its end, where its client sends a trailer.
type trailedBody struct {
	io.Reader
	ended bool
}

func (b *trailedBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.ended = b.ended || err == io.EOF
	return n, err
}

// trailing returns a body and a checksum of it whose value comes behind the body, and how often it
// was asked for.
func trailing(t *testing.T, data []byte, c engine.Checksum, err error) (*trailedBody, engine.Checksum, *int) {
	body, asked, value := &trailedBody{Reader: bytes.NewReader(data)}, 0, c.Value
	c.Value = ""
	c.Trailer = func() (string, error) {
		if asked++; !body.ended {
			t.Error("the trailer is asked for before the body has ended")
		}
		return value, err
	}
	return body, c, &asked
}

// TestTrailer sends checksums of every algorithm behind bodies of every size, right ones, wrong ones and
// none.
func TestTrailer(t *testing.T) {
	for algorithm := range checksums {
		t.Run(algorithm, func(t *testing.T) { trailer(t, crypto.ChecksumAlgorithm(algorithm)) })
	}
}

func trailer(t *testing.T, algorithm crypto.ChecksumAlgorithm) {
	e, _ := memoryStore(t, &engine.Options{ChunkSize: 64 << 10})
	id := mustInitiate(t, e, "bucket", "key", "")
	boom := &badSignature{1}
	for _, size := range []int{0, 1, 64 << 10, 64<<10 + 1, 300_000} {
		data := random(1, size)
		right := inBase64(checksumOf(string(algorithm), data))
		for _, row := range []struct {
			value string
			err   error
			want  error
		}{
			{right, nil, nil}, {"", nil, nil}, {inBase64(checksumOf(string(algorithm), data, []byte("more"))), nil, engine.ErrBadDigest},
			{"AAAA", nil, engine.ErrInvalidRequest}, {right, boom, engine.ErrIncompleteBody},
		} {
			check := func(op string, asked int, err error, got func() engine.Checksum, kind engine.ChecksumType) {
				t.Helper()
				if asked != 1 || !errors.Is(err, row.want) || row.err != nil && !errors.Is(err, row.err) {
					t.Errorf("%s of %d bytes with trailer %q, %v: %v, asked %d times, want %v", op, size, row.value, row.err, err, asked, row.want)
				} else if want := (engine.Checksum{Algorithm: algorithm, Type: kind, Value: right}); err == nil && got != nil && same(got(), want) != nil {
					t.Errorf("%s of %d bytes: the checksum is %+v, want %+v", op, size, got(), want)
				}
			}
			body, sum, asked := trailing(t, data, engine.Checksum{Algorithm: algorithm, Value: row.value}, row.err)
			put, err := e.PutObject(t.Context(), &engine.PutObjectRequest{Bucket: "bucket", Key: "put", Body: body, Size: int64(size), Checksum: sum})
			check("PutObject", *asked, err, func() engine.Checksum { return put.Checksum }, "FULL_OBJECT")

			body, sum, asked = trailing(t, data, engine.Checksum{Algorithm: algorithm, Value: row.value}, row.err)
			_, err = e.UploadPart(t.Context(), &engine.UploadPartRequest{Bucket: "bucket", Key: "key", UploadID: id, PartNumber: 1, Body: body, Checksum: sum})
			check("UploadPart", *asked, err, nil, "")

			// Of an object, which is only compared.
			if row.value == "AAAA" || !algorithm.CanCombine() {
				continue
			}
			body, sum, asked = trailing(t, data, engine.Checksum{Algorithm: algorithm, Type: "FULL_OBJECT", Value: row.value}, row.err)
			up, err := e.Upload(t.Context(), &engine.UploadRequest{Bucket: "bucket", Key: "up", Body: body, PartSize: minPart, Checksum: sum})
			check("Upload", *asked, err, func() engine.Checksum { return up.Checksum }, "FULL_OBJECT")
		}
	}
	checkStore(t, e)
}

// TestTrailerUnasked refuses what does not go together before the body is read, and does not ask
// for what is behind a body that is refused.
func TestTrailerUnasked(t *testing.T) {
	e, _ := memoryStore(t, nil)
	id := mustInitiate(t, e, "bucket", "key", "")
	unasked := func() (string, error) {
		t.Error("the trailer is asked for")
		return "", nil
	}
	sha := inBase64(checksumOf("SHA256"))
	for what, row := range map[string]struct {
		sum  engine.Checksum
		size int64
		want error
		read bool
	}{
		"no algorithm":  {engine.Checksum{Trailer: unasked}, 0, engine.ErrInvalidRequest, false},
		"a value, too":  {engine.Checksum{Algorithm: "SHA256", Value: sha, Trailer: unasked}, 0, engine.ErrInvalidRequest, false},
		"a short body":  {engine.Checksum{Algorithm: "SHA256", Trailer: unasked}, 100, engine.ErrIncompleteBody, true},
		"a longer body": {engine.Checksum{Algorithm: "SHA256", Trailer: unasked}, 1, engine.ErrInvalidArgument, true},
	} {
		for op, call := range map[string]func(body io.Reader) error{
			"PutObject": func(body io.Reader) error {
				_, err := e.PutObject(t.Context(), &engine.PutObjectRequest{Bucket: "bucket", Key: "key", Body: body, Size: row.size, Checksum: row.sum})
				return err
			},
			"UploadPart": func(body io.Reader) error {
				_, err := e.UploadPart(t.Context(), &engine.UploadPartRequest{Bucket: "bucket", Key: "key", UploadID: id, PartNumber: 1, Body: body, Size: row.size, Checksum: row.sum})
				return err
			},
		} {
			body := bytes.NewReader([]byte("content"))
			if err := call(body); !errors.Is(err, row.want) || (body.Len() < 7) != row.read {
				t.Errorf("%s with %s: %v, %d bytes are left, want %v", op, what, err, body.Len(), row.want)
			}
		}
	}
	_, err1 := e.InitiateMultipartUpload(t.Context(), &engine.InitiateMultipartUploadRequest{Bucket: "bucket", Key: "key", Checksum: engine.Checksum{Algorithm: "SHA256", Trailer: unasked}})
	mustPart(t, e, "bucket", "key", id, 1, nil)
	_, err2 := e.CompleteMultipartUpload(t.Context(), &engine.CompleteMultipartUploadRequest{Bucket: "bucket", Key: "key", UploadID: id, All: true, Checksum: engine.Checksum{Trailer: unasked}})
	_, err3 := e.Upload(t.Context(), &engine.UploadRequest{Bucket: "bucket", Key: "key", Checksum: engine.Checksum{Algorithm: "SHA256", Value: sha, Trailer: unasked}})
	if slices.ContainsFunc([]error{err1, err2, err3}, func(err error) bool { return !errors.Is(err, engine.ErrInvalidRequest) }) {
		t.Errorf("Initiate, Complete and Upload: %v, %v, %v", err1, err2, err3)
	}
}
