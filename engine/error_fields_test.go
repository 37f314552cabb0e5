package engine_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/gabion-storage/gabion/engine"
)

// TestErrorFields wants what an answer says of a failure to be in the error.
func TestErrorFields(t *testing.T) {
	const long = 5 << 10
	w := newWorld(t, keys(t))
	small := w.upload([]byte("small"), []byte("last"))
	w.ids["small"], w.ids["one"] = small, w.upload([]byte("last"))
	type fields struct {
		Argument, Value, Condition, ETag string
		LastModified                     time.Time
		Size, Limit                      int64
	}
	etag, made := w.object.ETag, w.now
	for what, row := range map[string]struct {
		do   func(*world) error
		code error
		want fields
	}{
		"a header of two lines": {
			initiate(Initiate{Attributes: Attributes{ContentType: "a\nb"}}), engine.ErrInvalidArgument,
			fields{Argument: "ContentType", Value: "a\nb"},
		},
		"a header that is too long": {
			initiate(Initiate{Attributes: Attributes{Expires: strings.Repeat("é", long)}}), engine.ErrInvalidArgument,
			fields{Argument: "Expires", Value: strings.Repeat("é", 512)},
		},
		"a page that is too large": {
			listParts(List{UploadID: "open", MaxParts: 1001}), engine.ErrInvalidArgument, fields{Argument: "MaxParts", Value: "1001"},
		},
		"part 0": {
			getObject(Get{PartNumber: engine.Zero}), engine.ErrInvalidArgument, fields{Argument: "PartNumber", Value: "0"},
		},
		"a client's key": {
			initiate(Initiate{EncryptionRequest: Encrypted{SSECustomerKey: clientKey[1:]}}), engine.ErrInvalidArgument,
			fields{Argument: "SSECustomerKey"},
		},
		"an unknown algorithm": {
			initiate(Initiate{EncryptionRequest: Encrypted{ServerSideEncryption: "SM4"}}), engine.ErrInvalidEncryptionAlgorithm,
			fields{Argument: "ServerSideEncryption", Value: "SM4"},
		},
		"IfMatch": {
			getObject(Get{Conditions: When{IfMatch: "5"}}), engine.ErrPreconditionFailed, fields{Condition: "If-Match"},
		},
		"IfUnmodifiedSince": {
			headObject(Head{Conditions: When{IfUnmodifiedSince: made.Add(-time.Second)}}), engine.ErrPreconditionFailed,
			fields{Condition: "If-Unmodified-Since"},
		},
		"IfNoneMatch": {
			getObject(Get{Conditions: When{IfNoneMatch: "*"}}), engine.ErrNotModified,
			fields{Condition: "If-None-Match", ETag: etag, LastModified: made},
		},
		"IfModifiedSince": {
			headObject(Head{Conditions: When{IfModifiedSince: made}}), engine.ErrNotModified,
			fields{Condition: "If-Modified-Since", ETag: etag, LastModified: made},
		},
		"IfModifiedSince of a copy to S3": {
			copyObject(Copy{Bucket: "s3-bucket", Conditions: When{IfModifiedSince: made}}), engine.ErrPreconditionFailed,
			fields{Condition: "If-Modified-Since"},
		},
		"IfMatch of a write": {
			putObject(Put{Preconditions: If{IfMatch: "5"}}), engine.ErrPreconditionFailed, fields{Condition: "If-Match"},
		},
		"IfNoneMatch of a write": {
			putObject(Put{Preconditions: If{IfNoneMatch: "*"}}), engine.ErrPreconditionFailed, fields{Condition: "If-None-Match"},
		},
		"a range behind the end": {
			getObject(Get{Range: "bytes=7-", RangeBehavior: "standard"}), engine.ErrInvalidRange,
			fields{Argument: "Range", Value: "bytes=7-", Size: 7},
		},
		"a small part": {
			complete(Complete{Key: "new", UploadID: "small", All: true}), engine.ErrEntityTooSmall,
			fields{ETag: md5ETag([]byte("small")), Size: 5, Limit: minPart},
		},
		"another part": {
			complete(Complete{UploadID: "open", Parts: []engine.CompletedPart{{PartNumber: 1, ETag: strings.Repeat("5", long)}}}), engine.ErrInvalidPart,
			fields{ETag: strings.Repeat("5", 1024)},
		},
		"a part that is said to be large": {
			part(Part{UploadID: "open", PartNumber: 1, Size: 5<<30 + 1}), engine.ErrEntityTooLarge,
			fields{Argument: "Size", Value: "5368709121", Size: 5<<30 + 1, Limit: 5 << 30},
		},
		"another size": {
			complete(Complete{Key: "new", UploadID: "one", All: true, Size: 9}), engine.ErrInvalidRequest,
			fields{Argument: "Size", Value: "9", Size: 4},
		},
		"a part that there is not": {
			getObject(Get{PartNumber: 3}), engine.ErrInvalidPartNumber, fields{Argument: "PartNumber", Value: "3"},
		},
		"S3: a long key": {
			initiate(Initiate{Bucket: "s3-bucket", Key: strings.Repeat("k", 1025)}), engine.ErrKeyTooLong, fields{Size: 1025, Limit: 1024},
		},
		"S3: too much metadata": {
			initiate(Initiate{Bucket: "s3-bucket", Attributes: Attributes{Metadata: map[string]string{"a": strings.Repeat("v", 2<<10)}}}), engine.ErrMetadataTooLarge,
			fields{Argument: "Metadata", Value: "2049 bytes", Size: 2049, Limit: 2048},
		},
	} {
		err := row.do(w)
		if !errors.Is(err, row.code) {
			t.Errorf("%s: %v, want %v", what, err, row.code)
			continue
		}
		e := asError(t, err)
		if got := (fields{e.Argument, e.Value, e.Condition, e.ETag, e.LastModified, e.Size, e.Limit}); got != row.want {
			t.Errorf("%s: the error has %+v, want %+v", what, got, row.want)
		}
	}
}

// TestDerive makes an error of a front end's own, and leaves the one that it is made of as it was.
func TestDerive(t *testing.T) {
	was := *engine.ErrAccessDenied
	got := engine.ErrAccessDenied.Derive("Not yours.", io.ErrNoProgress)
	if !errors.Is(got, engine.ErrAccessDenied) || !errors.Is(got, io.ErrNoProgress) || got.Message != "Not yours." || got.HTTPStatus != 403 {
		t.Errorf("derived is %+v", got)
	}
	if same := engine.ErrNoSuchKey.Derive("", nil); same.Message != engine.ErrNoSuchKey.Message || same == engine.ErrNoSuchKey || same.Err != nil {
		t.Errorf("derived with nothing is %+v", same)
	}
	if *engine.ErrAccessDenied != was {
		t.Errorf("ErrAccessDenied has become %+v", engine.ErrAccessDenied)
	}
}

// A badSignature is an error of a body's own.
type badSignature struct{ at int }

func (*badSignature) Error() string { return "the chunk's signature is wrong" }

// TestBodyErrors has bodies fail with an error of their own, which must be found in the call's:
// those that are waited for, those in memory, and those that are cut into parts.
func TestBodyErrors(t *testing.T) {
	e, _ := memoryStore(t, nil)
	id := mustInitiate(t, e, "bucket", "key", "")
	for name, begin := range map[string][]byte{"at once": nil, "midway": random(1, 3<<20)} {
		body := func() io.Reader {
			return io.MultiReader(bytes.NewReader(begin), iotest.ErrReader(&badSignature{len(begin)}))
		}
		_, err1 := e.PutObject(t.Context(), &engine.PutObjectRequest{Bucket: "bucket", Key: "key", Body: body()})
		_, err2 := e.UploadPart(t.Context(), &engine.UploadPartRequest{Bucket: "bucket", Key: "key", UploadID: id, PartNumber: 1, Body: bufio.NewReader(body())})
		_, err3 := e.Upload(t.Context(), &engine.UploadRequest{Bucket: "bucket", Key: "key", Body: body(), PartSize: 1 << 20})
		for op, err := range map[string]error{"PutObject": err1, "UploadPart": err2, "Upload": err3} {
			var own *badSignature
			if !errors.Is(err, engine.ErrIncompleteBody) || !errors.As(err, &own) || own.at != len(begin) {
				t.Errorf("%s of a body that fails %s: %v", op, name, err)
			}
		}
	}
}
