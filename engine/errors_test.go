package engine_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// TestErrorTexts is how errors read.
func TestErrorTexts(t *testing.T) {
	for _, test := range []struct {
		err  engine.Error
		want string
	}{
		{engine.Error{Code: "NoSuchBucket"}, "engine: NoSuchBucket"},
		{engine.Error{Op: "Open", Code: "InUse", Message: "It is in use."}, "engine: Open: InUse: It is in use."},
		{engine.Error{Op: "DeleteBucket", Code: "NoSuchBucket", Bucket: "logs"}, "engine: DeleteBucket: logs: NoSuchBucket"},
		{engine.Error{Op: "HeadObject", Code: "NoSuchKey", Bucket: "logs", Key: "a/b c"}, "engine: HeadObject: logs/a/b c: NoSuchKey"},
		{engine.Error{Op: "HeadObject", Code: "InvalidBucketName", Key: "key"}, "engine: HeadObject: /key: InvalidBucketName"},
		{engine.Error{Op: "UploadPart", Code: "NoSuchUpload", Bucket: "logs", Key: "key", PartNumber: 7}, "engine: UploadPart: logs/key: part 7: NoSuchUpload"},
		{engine.Error{Op: "UploadPart", Code: "InvalidArgument", Bucket: "logs", Key: "key", UploadID: "0A", PartNumber: -1}, "engine: UploadPart: logs/key: upload 0A: part -1: InvalidArgument"},
		{engine.Error{Op: "ListParts", Code: "NoSuchUpload", UploadID: "0A"}, "engine: ListParts: upload 0A: NoSuchUpload"},
		{engine.Error{Code: "InternalError", Err: io.EOF}, "engine: InternalError: EOF"},
		{engine.Error{Code: "InternalError", Message: "It broke.", Err: io.EOF}, "engine: InternalError: It broke.: EOF"},
		{engine.Error{Code: "X", Bucket: "b\nengine: all is well", Key: "\x00\x1b[2J"}, `engine: "b\nengine: all is well"/"\x00\x1b[2J": X`},
		{engine.Error{Code: "X", Bucket: "b", Key: "Grüße/世界"}, "engine: b/Grüße/世界: X"},
		{engine.Error{Code: "X", Bucket: "b", Key: "\xff\"", UploadID: "\r\n"}, `engine: b/"\xff\"": upload "\r\n": X`},
		{engine.Error{Code: "X", Bucket: "b", Key: strings.Repeat("k", 1025)}, "engine: b/" + strings.Repeat("k", 1024) + "...: X"},
	} {
		if got := test.err.Error(); got != test.want {
			t.Errorf("error %+v reads\n%q, want\n%q", test.err, got, test.want)
		}
	}
}

// TestErrorTextsOfCalls has calls fail.
func TestErrorTextsOfCalls(t *testing.T) {
	e, _ := memoryStore(t, nil)
	mustBucket(t, e, "bucket")
	ctx := t.Context()
	_, err1 := e.HeadBucket(ctx, &engine.HeadBucketRequest{Bucket: "Bad"})
	_, err2 := e.HeadBucket(ctx, nil)
	_, err3 := e.UploadPart(ctx, &engine.UploadPartRequest{Bucket: "bucket", Key: "key", PartNumber: 3})
	_, err4 := e.DeleteObjects(ctx, &engine.DeleteObjectsRequest{Bucket: "bucket"})
	ended, end := context.WithCancel(ctx)
	end()
	_, err5 := e.HeadObject(ended, &engine.HeadObjectRequest{Bucket: "bucket", Key: "key"})
	for i, want := range []string{
		"engine: HeadBucket: Bad: InvalidBucketName: The specified bucket is not valid.",
		"engine: HeadBucket: InvalidBucketName: The specified bucket is not valid.",
		"engine: UploadPart: bucket/key: part 3: NoSuchUpload: The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
		"engine: DeleteObjects: bucket: MalformedXML: Keys has 0 entries, must have 1 to 1000.",
		"engine: HeadObject: bucket/key: RequestTimeout: The request ended before it was done.: context canceled",
	} {
		if err := []error{err1, err2, err3, err4, err5}[i]; err == nil || err.Error() != want {
			t.Errorf("call %d fails with\n%v, want\n%v", i+1, err, want)
		}
	}
}

// TestExpireTellsOfDamage damages the record of a part between the moment when its upload is found
// to be stale and the one when it is looked at again.
func TestExpireTellsOfDamage(t *testing.T) {
	ctx := t.Context()
	idx := &hookedIndex{Memory: index.NewMemory()}
	e, err := engine.OpenStores(t.Context(), idx, blob.NewMemory(0), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	id := mustInitiate(t, e, "bucket", "key", "")
	mustPart(t, e, "bucket", "key", id, 1, []byte("content"))
	damage := func() {
		content, _ := index.ParseContentID(id)
		err := idx.Memory.Update(ctx, func(tx index.Tx) error { return tx.Put(index.PartKey(content, 1), []byte("nonsense")) })
		if err != nil {
			t.Error(err)
		}
	}
	idx.before.Store(&damage)
	res, err := e.Expire(ctx, &engine.ExpireRequest{Before: time.Now().Add(time.Hour)})
	var corrupt *engine.CorruptionError
	if !errors.As(err, &corrupt) {
		t.Errorf("Expire passes over damage: %+v, %v", res, err)
	}
}

// TestJoinedErrors wants all of a failure that has several reasons told.
func TestJoinedErrors(t *testing.T) {
	boom := errors.New("boom")
	e, _ := memoryStore(t, &engine.Options{Keys: &hookedKeys{KeyProvider: keys(t), generate: func(string) (string, error) {
		return "", errors.Join(io.ErrUnexpectedEOF, boom)
	}}})
	mustBucket(t, e, "bucket")
	_, err := e.PutObject(t.Context(), &engine.PutObjectRequest{Bucket: "bucket", Key: "key", EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "AES256"}})
	if !errors.Is(err, boom) || !errors.Is(err, io.ErrUnexpectedEOF) || !errors.Is(err, engine.ErrInternal) {
		t.Errorf("PutObject fails with %v", err)
	}
}
