package engine_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/gabion-storage/gabion/engine"
)

// brokenBody fails to be read from an offset on.
type brokenBody struct {
	*bytes.Reader
	failAt int64 // 0 is nowhere
}

func (c *brokenBody) ReadAt(p []byte, off int64) (int, error) {
	if c.failAt > 0 && off+int64(len(p)) > c.failAt {
		return 0, io.ErrClosedPipe
	}
	return c.Reader.ReadAt(p, off)
}

// TestUploadKinds uploads, fails, and resumes, uploads of every kind: under S3's rules, with a
// client's key, sequential, with checksums.
func TestUploadKinds(t *testing.T) {
	e := s3Store(t, t.TempDir(), &engine.Options{Keys: keys(t)})
	data := random(1, 2*minS3Part+100)
	parts := [][]byte{data[:minS3Part], data[minS3Part : 2*minS3Part], data[2*minS3Part:]}
	key := random(2, 32)
	full := engine.Checksum{Algorithm: "CRC32C", Type: "FULL_OBJECT", Value: inBase64(checksumOf("CRC32C", data))}
	for name, req := range map[string]engine.UploadRequest{
		"plain":        {},
		"client's key": {EncryptionRequest: engine.EncryptionRequest{SSECustomerKey: key}},
		"sequential":   {Sequential: true, Parallel: 4},
		"checksum":     {Checksum: full},
		"encrypted":    {EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "AES256"}, Checksum: engine.Checksum{Algorithm: "SHA256"}},
	} {
		t.Run(name, func(t *testing.T) {
			req.Bucket, req.Key, req.Size, req.PartSize, req.KeepParts = "bucket", "key", int64(len(data)), minS3Part, true
			broken := req
			broken.Body, broken.Parallel = &brokenBody{Reader: bytes.NewReader(data), failAt: 2 * minS3Part}, 1
			_, err := e.Upload(context.Background(), &broken)
			if !errors.Is(err, engine.ErrIncompleteBody) {
				t.Fatalf("a body that fails: %v", err)
			}
			req.UploadID, req.Body = asError(t, err).UploadID, bytes.NewReader(data)
			if before := partsOf(t, e, "bucket", "key", req.UploadID); len(before) != 2 {
				t.Fatalf("the parts kept are %+v, want two", before)
			}
			got, err := e.Upload(context.Background(), &req)
			if err != nil {
				t.Fatalf("resumed: %v", err)
			}
			if got.ETag != s3ETag(parts...) || got.Size != int64(len(data)) || got.CRC64 != crc64Of(data) {
				t.Errorf("the object is %+v", got)
			}
			if want := req.Checksum; want.Algorithm != got.Checksum.Algorithm || want.Value != "" && same(got.Checksum, want) != nil {
				t.Errorf("the checksum is %+v, want %+v", got.Checksum, want)
			}
			obj, err := e.GetObject(context.Background(), &engine.GetObjectRequest{Bucket: "bucket", Key: "key", SSECustomerKey: req.SSECustomerKey})
			if err != nil {
				t.Fatal(err)
			}
			defer obj.Close()
			if read, err := io.ReadAll(obj); err != nil || !bytes.Equal(read, data) {
				t.Errorf("the object reads %d bytes, %v", len(read), err)
			}
			if (obj.ContentMD5 != "") != req.Sequential {
				t.Errorf("the object has the MD5 %q", obj.ContentMD5)
			}
		})
	}
	wrong := full
	wrong.Value = inBase64(checksumOf("CRC32C"))
	_, err := e.Upload(context.Background(), &engine.UploadRequest{Bucket: "bucket", Key: "wrong", Body: bytes.NewReader(data), Checksum: wrong})
	if !errors.Is(err, engine.ErrBadDigest) {
		t.Errorf("another checksum: %v", err)
	}
	if _, err := e.HeadObject(context.Background(), &engine.HeadObjectRequest{Bucket: "bucket", Key: "wrong"}); !errors.Is(err, engine.ErrNoSuchKey) {
		t.Errorf("the object with another checksum: %v", err)
	}
}
