package engine_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/engine"
)

// mustPut puts an object into the bucket.
func mustPut(t testing.TB, e *engine.Engine, req engine.PutObjectRequest) *engine.PutObjectResult {
	t.Helper()
	req.Bucket = orElse(req.Bucket, "bucket")
	res, err := e.PutObject(context.Background(), &req)
	if err != nil {
		t.Fatalf("PutObject: %v", err)
	}
	return res
}

func base64MD5(body []byte) string {
	sum := md5.Sum(body)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// TestPutObject puts bodies of every awkward size, plain and encrypted, and reads them back, also
// after the store was closed.
func TestPutObject(t *testing.T) {
	const chunk = 64 << 10
	dir, o := t.TempDir(), &engine.Options{ChunkSize: chunk, Keys: keys(t)}
	e := open(t, dir, o)
	mustBucket(t, e, "bucket")
	bodies := map[string][]byte{}
	const most = 32<<10 - 8 // of what does not compress; the frame's header takes 8 bytes
	for _, sse := range []string{"", "AES256"} {
		for _, size := range []int{0, 1, most - 29, most - 28, most - 27, most, most + 1, chunk - 1, chunk, chunk + 1, 3*chunk + 5} {
			bodies[fmt.Sprintf("%d%s", size, sse)] = random(uint64(size), size)
		}
		bodies["compressible"+sse] = bytes.Repeat([]byte("stone "), chunk/7)
	}
	for key, body := range bodies {
		before := stats(t, e)
		crc := crc64Of(body)
		sse := strings.TrimLeft(key, "0123456789comprsible")
		got := mustPut(t, e, engine.PutObjectRequest{
			Key: key, Body: bytes.NewReader(body), Size: int64(len(body)), ContentMD5: base64MD5(body), CRC64: &crc, EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm(sse)},
		})
		if got.ETag != md5ETag(body) || got.Size != int64(len(body)) || got.ContentMD5 != base64MD5(body) || got.CRC64 != crc || got.ServerSideEncryption != engine.EncryptionAlgorithm(sse) {
			t.Errorf("%s: the object is %+v", key, got)
		}
		info := head(t, e, "bucket", key)
		if info.ETag != got.ETag || info.Type != "Normal" || info.ContentMD5 != got.ContentMD5 || info.Parts != 1 || !info.LastModified.Equal(got.LastModified) {
			t.Errorf("%s: it heads as %+v", key, info)
		}
		overhead := 0 // of a seal
		if sse != "" {
			overhead = 28
		}
		small := len(body) > 0 && (len(body)+overhead <= most || strings.HasPrefix(key, "c"))
		after := stats(t, e)
		if inline := after.InlineBytes > before.InlineBytes; inline != small || small && after.StoredBytes != before.StoredBytes {
			t.Errorf("%s: inline is %t, want %t; the store held %+v, holds %+v", key, inline, small, before, after)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = open(t, dir, o)
	for key, body := range bodies {
		if !bytes.Equal(readAll(t, e, "bucket", key), body) {
			t.Errorf("%s reads differently", key)
		}
		if len(body) > 100 {
			obj := mustGet(t, e, "bucket", key, "bytes=7-98")
			if got, err := io.ReadAll(obj); err != nil || !bytes.Equal(got, body[7:99]) {
				t.Errorf("a range of %s: %d bytes, %v", key, len(got), err)
			}
			obj.Close()
		}
	}
	res, err := e.Check(context.Background(), &engine.CheckRequest{Data: true})
	if err != nil || len(res.Problems) > 0 {
		t.Errorf("Check: %v, %v", res.Problems, err)
	}
	for key := range bodies {
		mustPut(t, e, engine.PutObjectRequest{Key: key, Body: strings.NewReader("overwritten")})
		mustDelete(t, e, "bucket", key)
	}
	if left, s := tallyOf(t, e), stats(t, e); left != (tally{}) || s.InlineBytes != 0 {
		t.Errorf("left is %+v", s)
	}
}

// TestPutSmallSyncs counts the operations on the stores: a small body costs one, of the index.
func TestPutSmallSyncs(t *testing.T) {
	f := newFragileStores(1<<20, nil)
	e := f.open(t, &engine.Options{ChunkSize: 64 << 10})
	mustBucket(t, e, "bucket")
	count := func(size int) int {
		before := f.power.count
		mustPut(t, e, engine.PutObjectRequest{Key: "key-" + fmt.Sprint(size), Body: bytes.NewReader(random(1, size))})
		return f.power.count - before
	}
	if !eventually(func() bool { return count(30_000) == 1 }) { // the worker may take an update of its own
		t.Error("a small body costs more than one update of the index")
	}
	if n := count(40_000); n < 3 {
		t.Errorf("a large body costs %d operations, want a Put, a Sync and an update: the test has lost its grip", n)
	}
}

// TestPutObjectRefused wants every refusal before the body is read where that can be known before,
// and the object that was there to stay.
func TestPutObjectRefused(t *testing.T) {
	e := openTemp(t, &engine.Options{Keys: keys(t)})
	mustBucket(t, e, "bucket")
	mustPut(t, e, engine.PutObjectRequest{Key: "there", Body: strings.NewReader("content")})
	before := tallyOf(t, e)
	crc := uint64(1)
	for name, test := range map[string]struct {
		req  engine.PutObjectRequest
		want error
		read bool // the body must be read to find it out
	}{
		"no bucket":         {engine.PutObjectRequest{Bucket: "absent"}, engine.ErrNoSuchBucket, false},
		"bad key":           {engine.PutObjectRequest{Key: "/key"}, engine.ErrInvalidObjectName, false},
		"bad metadata":      {engine.PutObjectRequest{Attributes: engine.Attributes{Metadata: map[string]string{"_": ""}}}, engine.ErrInvalidArgument, false},
		"bad tags":          {engine.PutObjectRequest{Attributes: engine.Attributes{Tags: manyTags(11)}}, engine.ErrBadRequest, false},
		"bad encryption":    {engine.PutObjectRequest{EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "ROT13"}}, engine.ErrInvalidEncryptionAlgorithm, false},
		"unknown key id":    {engine.PutObjectRequest{EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "KMS", ServerSideEncryptionKeyID: "x"}}, engine.ErrKeyNotFound, false},
		"forbidden":         {engine.PutObjectRequest{Preconditions: engine.Preconditions{ForbidOverwrite: true}}, engine.ErrFileAlreadyExists, false},
		"IfNoneMatch":       {engine.PutObjectRequest{Preconditions: engine.Preconditions{IfNoneMatch: "*"}}, engine.ErrPreconditionFailed, false},
		"IfMatch another":   {engine.PutObjectRequest{Preconditions: engine.Preconditions{IfMatch: "x"}}, engine.ErrPreconditionFailed, false},
		"IfMatch of none":   {engine.PutObjectRequest{Key: "absent", Preconditions: engine.Preconditions{IfMatch: "x"}}, engine.ErrNoSuchKey, false},
		"Size over 5 GiB":   {engine.PutObjectRequest{Size: 5<<30 + 1}, engine.ErrInvalidArgument, false},
		"Size negative":     {engine.PutObjectRequest{Size: -1}, engine.ErrInvalidArgument, false},
		"malformed MD5":     {engine.PutObjectRequest{ContentMD5: "AAAA"}, engine.ErrInvalidDigest, false},
		"MD5 of another":    {engine.PutObjectRequest{ContentMD5: "1B2M2Y8AsgTpgAmY7PhCfg=="}, engine.ErrInvalidDigest, true},
		"CRC of another":    {engine.PutObjectRequest{CRC64: &crc}, engine.ErrInvalidCRC64, true},
		"shorter than Size": {engine.PutObjectRequest{Size: 100}, engine.ErrIncompleteBody, true},
		"longer than Size":  {engine.PutObjectRequest{Size: 1}, engine.ErrInvalidArgument, true},
	} {
		req := test.req
		req.Bucket, req.Key = orElse(req.Bucket, "bucket"), orElse(req.Key, "there")
		body := strings.NewReader("another")
		req.Body = body
		_, err := e.PutObject(context.Background(), &req)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
		if read := body.Len() < len("another"); read != test.read {
			t.Errorf("%s: the body was read: %t, want %t", name, read, test.read)
		}
	}
	req := engine.PutObjectRequest{Bucket: "bucket", Key: "there", Body: failing("some", io.ErrClosedPipe)}
	if _, err := e.PutObject(context.Background(), &req); !errors.Is(err, engine.ErrIncompleteBody) {
		t.Errorf("a body that fails: %v", err)
	}
	if after := tallyOf(t, e); after != before {
		t.Errorf("the store holds %+v, held %+v before", after, before)
	}
	if got := readAll(t, e, "bucket", "there"); string(got) != "content" {
		t.Errorf("the object holds %q", got)
	}
	for name, req := range map[string]engine.PutObjectRequest{
		"IfMatch": {Preconditions: engine.Preconditions{IfMatch: md5ETag([]byte("content"))}}, "IfNoneMatch": {Key: "new", Preconditions: engine.Preconditions{IfNoneMatch: "*"}}, "ForbidOverwrite": {Key: "newer", Preconditions: engine.Preconditions{ForbidOverwrite: true}},
	} {
		req.Key, req.Body = orElse(req.Key, "there"), strings.NewReader(name)
		mustPut(t, e, req)
		if got := readAll(t, e, "bucket", req.Key); string(got) != name {
			t.Errorf("%s that holds: the object holds %q", name, got)
		}
	}
}

// TestPutRaces has many write one object at once, on the condition that it is not there: one does.
func TestPutRaces(t *testing.T) {
	e := openTemp(t, nil)
	mustBucket(t, e, "bucket")
	for round := range 10 {
		key := fmt.Sprint(round)
		errs := make(chan error)
		for n := range 8 {
			go func() {
				_, err := e.PutObject(context.Background(), &engine.PutObjectRequest{
					Bucket: "bucket", Key: key, Body: strings.NewReader(fmt.Sprint(n)), Preconditions: engine.Preconditions{ForbidOverwrite: n%2 == 0, IfNoneMatch: []string{"", "*"}[n%2]},
				})
				errs <- err
			}()
		}
		var won int
		for range 8 {
			switch err := <-errs; {
			case err == nil:
				won++
			case !errors.Is(err, engine.ErrFileAlreadyExists) && !errors.Is(err, engine.ErrPreconditionFailed):
				t.Error(err)
			}
		}
		if won != 1 {
			t.Errorf("%d writers made the object", won)
		}
	}
}

// TestCustomerKeys stores under a client's key by every way there is, and reads with it, without
// it and with another.
func TestCustomerKeys(t *testing.T) {
	dir := t.TempDir()
	key, other := random(1, 32), random(2, 32)
	e := open(t, dir, &engine.Options{ChunkSize: 16 << 10}) // without Options.Keys
	mustBucket(t, e, "bucket")
	small, large := random(3, 1000), random(4, 100_000)
	for name, body := range map[string][]byte{"small": small, "large": large} {
		if got := mustPut(t, e, engine.PutObjectRequest{Key: name, Body: bytes.NewReader(body), EncryptionRequest: engine.EncryptionRequest{SSECustomerKey: key}}); got.SSECustomerAlgorithm != "AES256" || got.ServerSideEncryption != "" {
			t.Errorf("PutObject says %+v", got.Encryption)
		}
	}
	up, err := e.InitiateMultipartUpload(context.Background(), &engine.InitiateMultipartUploadRequest{Bucket: "bucket", Key: "parts", EncryptionRequest: engine.EncryptionRequest{SSECustomerKey: key}})
	if err != nil {
		t.Fatal(err)
	}
	for _, given := range [][]byte{nil, other, key, other, nil} {
		_, err := e.UploadPart(context.Background(), &engine.UploadPartRequest{
			Bucket: "bucket", Key: "parts", UploadID: up.UploadID, PartNumber: 1, Body: bytes.NewReader(large), SSECustomerKey: given,
		})
		want := map[string]error{"": engine.ErrInvalidRequest, string(other): engine.ErrInvalidRequest, string(key): nil}[string(given)]
		if !errors.Is(err, want) {
			t.Errorf("UploadPart: %v, want %v", err, want)
		}
	}
	if done := mustComplete(t, e, "bucket", "parts", up.UploadID); done.SSECustomerAlgorithm != "AES256" {
		t.Errorf("Complete says %+v", done.Encryption)
	}
	mustPut(t, e, engine.PutObjectRequest{Key: "plain", Body: bytes.NewReader(small)})

	// The key is not in the files, and neither is its hash.
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	sum := md5.Sum(key)
	for _, form := range []string{string(key), string(sum[:]), base64.StdEncoding.EncodeToString(key), base64.StdEncoding.EncodeToString(sum[:])} {
		if file := findString(t, dir, form); file != "" {
			t.Errorf("the client's key, or its MD5, is in %s", file)
		}
	}
	for _, plain := range [][]byte{small, large} {
		if file := findRun(t, dir, plain); file != "" && !bytes.Equal(plain, small) { // "plain" holds it, too
			t.Errorf("the plaintext is in %s", file)
		}
	}
	e = open(t, dir, &engine.Options{Keys: keys(t)})
	for name, want := range map[string][]byte{"small": small, "large": large, "parts": large} {
		for _, given := range [][]byte{nil, other, key[:31], key, other, nil} { // what worked once opens nothing
			wantErr := map[string]error{"": engine.ErrInvalidRequest, string(key): nil}[string(given)]
			if given != nil && !slices.Equal(given, key) {
				wantErr = engine.ErrAccessDenied
			}
			_, err := e.HeadObject(context.Background(), &engine.HeadObjectRequest{Bucket: "bucket", Key: name, SSECustomerKey: given})
			if !errors.Is(err, wantErr) {
				t.Errorf("HeadObject of %s with a key of %d bytes: %v, want %v", name, len(given), err, wantErr)
			}
			obj, err := e.GetObject(context.Background(), &engine.GetObjectRequest{Bucket: "bucket", Key: name, SSECustomerKey: given})
			if !errors.Is(err, wantErr) {
				t.Errorf("GetObject of %s with a key of %d bytes: %v, want %v", name, len(given), err, wantErr)
			}
			if err != nil {
				continue
			}
			if got, err := io.ReadAll(obj); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s reads %d bytes, %v", name, len(got), err)
			}
			obj.Close()
		}
	}
	if _, err := e.GetObject(context.Background(), &engine.GetObjectRequest{Bucket: "bucket", Key: "plain", SSECustomerKey: key}); !errors.Is(err, engine.ErrInvalidRequest) {
		t.Errorf("a key for what is not encrypted: %v", err)
	}
	for name, req := range map[string]engine.PutObjectRequest{
		"short key": {EncryptionRequest: engine.EncryptionRequest{SSECustomerKey: key[:31]}}, "both": {EncryptionRequest: engine.EncryptionRequest{SSECustomerKey: key, ServerSideEncryption: "AES256"}},
	} {
		req.Bucket, req.Key = "bucket", "key"
		if _, err := e.PutObject(context.Background(), &req); !errors.Is(err, engine.ErrInvalidArgument) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// There is no key of the provider's to wrap anew.
	if res, err := e.RotateKeys(context.Background(), &engine.RotateKeysRequest{}); err != nil || res.Rewrapped != 0 {
		t.Errorf("RotateKeys: %+v, %v", res, err)
	}
	res, err := e.Check(context.Background(), &engine.CheckRequest{Data: true})
	if err != nil || len(res.Problems) > 0 || res.Bytes < int64(2*len(large)) {
		t.Errorf("Check, which has no key: %+v, %v", res, err)
	}
}
