package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
)

// goldenCustomer is the key of the golden stores' clients that have one.
var goldenCustomer = crypto.CustomerKey("golden stores have this for a key")[:crypto.CustomerKeySize]

// goldenClock tells a second more each time that it is asked.
func goldenClock() func() time.Time {
	var asked atomic.Int64
	return func() time.Time {
		return time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC).Add(time.Duration(asked.Add(1)) * time.Second)
	}
}

// A goldenBuilder puts something of each kind into a store. All bodies compress well, but for those
// that are called noise, so that what is committed stays small.
type goldenBuilder struct {
	t *testing.T
	e *engine.Engine
}

// goldenChunk is the size of the golden stores' chunks.
const goldenChunk = 4 << 10

// text returns n bytes that compress well, of which no two chunks are equal.
func text(seed, n int) []byte {
	var b bytes.Buffer
	for block := 0; b.Len() < n; block++ {
		fmt.Fprintf(&b, "seed %4d, block %*d\n", seed, -(goldenChunk - 18), block)
	}
	return b.Bytes()[:n]
}

// noise is the body of an object whose chunks lie in their volume as they are.
func noise() []byte { return random(4, 10*goldenChunk) }

func (g *goldenBuilder) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

func (g *goldenBuilder) bucket(name string, rules engine.Rules, scope engine.DedupScope) {
	g.t.Helper()
	_, err := g.e.CreateBucket(context.Background(), &engine.CreateBucketRequest{Bucket: name, Rules: rules, DedupScope: scope})
	g.must(err)
}

func (g *goldenBuilder) put(bucket, key string, body []byte, req engine.PutObjectRequest) {
	g.t.Helper()
	req.Bucket, req.Key, req.Body = bucket, key, bytes.NewReader(body)
	_, err := g.e.PutObject(context.Background(), &req)
	g.must(err)
}

// initiate begins an upload and uploads these parts.
func (g *goldenBuilder) initiate(bucket, key string, req engine.InitiateMultipartUploadRequest, parts ...[]byte) (id string) {
	g.t.Helper()
	req.Bucket, req.Key = bucket, key
	res, err := g.e.InitiateMultipartUpload(context.Background(), &req)
	g.must(err)
	for i, body := range parts {
		g.part(bucket, key, res.UploadID, i+1, body, req.SSECustomerKey)
	}
	return res.UploadID
}

func (g *goldenBuilder) part(bucket, key, id string, n int, body []byte, customer crypto.CustomerKey) {
	g.t.Helper()
	_, err := g.e.UploadPart(context.Background(), &engine.UploadPartRequest{
		Bucket: bucket, Key: key, UploadID: id, PartNumber: n, Body: bytes.NewReader(body), SSECustomerKey: customer,
	})
	g.must(err)
}

func (g *goldenBuilder) complete(bucket, key, id string, customer crypto.CustomerKey) {
	g.t.Helper()
	_, err := g.e.CompleteMultipartUpload(context.Background(), &engine.CompleteMultipartUploadRequest{
		Bucket: bucket, Key: key, UploadID: id, All: true, SSECustomerKey: customer,
	})
	g.must(err)
}

func (g *goldenBuilder) copy(bucket, key, from string, req engine.CopyObjectRequest) {
	g.t.Helper()
	req.Bucket, req.Key, req.SourceBucket, req.SourceKey = bucket, key, bucket, from
	_, err := g.e.CopyObject(context.Background(), &req)
	g.must(err)
}

// few makes what the damaged stores have.
func (g *goldenBuilder) few() {
	g.bucket("of-oss", engine.OSS, engine.DedupStore)
	first, second := text(1, 100<<10), text(2, 10_000)
	for _, enc := range []string{"", "AES256"} {
		begin := engine.InitiateMultipartUploadRequest{EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm(enc)}}
		g.complete("of-oss", "parts"+enc, g.initiate("of-oss", "parts"+enc, begin, first, second), nil)
		g.copy("of-oss", "copy"+enc, "parts"+enc, engine.CopyObjectRequest{EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm(enc)}})
	}
	g.initiate("of-oss", "open", engine.InitiateMultipartUploadRequest{}, first, second)
	g.put("of-oss", "noise", noise(), engine.PutObjectRequest{})
	g.put("of-oss", "small", text(3, 3000), engine.PutObjectRequest{}) // in the index
}

// everything makes buckets of all rules and scopes, and in them objects and open uploads of all
// kinds.
func (g *goldenBuilder) everything() {
	g.bucket("of-oss", engine.OSS, engine.DedupStore)
	g.bucket("of-s3", engine.S3, engine.DedupStore)
	g.bucket("scope-bucket", engine.OSS, engine.DedupBucket)
	g.bucket("scope-none", engine.OSS, engine.DedupNone)
	first, second := text(1, 100<<10), text(2, 10_000)
	for _, enc := range []struct {
		name string
		put  engine.PutObjectRequest
	}{
		{"plain", engine.PutObjectRequest{}},
		{"aes256", engine.PutObjectRequest{EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "AES256"}}},
		{"kms", engine.PutObjectRequest{EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "KMS"}}},
		{"customer", engine.PutObjectRequest{EncryptionRequest: engine.EncryptionRequest{SSECustomerKey: goldenCustomer}}},
	} {
		begin := engine.InitiateMultipartUploadRequest{
			EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: enc.put.ServerSideEncryption, SSECustomerKey: enc.put.SSECustomerKey},
		}
		customer := enc.put.SSECustomerKey
		g.complete("of-oss", "parts-"+enc.name, g.initiate("of-oss", "parts-"+enc.name, begin, first, second), customer)
		g.put("of-oss", "put-"+enc.name, text(3, 3000), enc.put) // in the index
		g.initiate("of-oss", "open-"+enc.name, begin, first, second)
		g.copy("of-oss", "copy-"+enc.name, "parts-"+enc.name, engine.CopyObjectRequest{
			EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: enc.put.ServerSideEncryption, SSECustomerKey: customer}, SourceSSECustomerKey: customer,
		})
		begin.Sequential = true
		g.complete("of-oss", "sequence-"+enc.name, g.initiate("of-oss", "sequence-"+enc.name, begin, first, second), customer)
		g.initiate("of-oss", "open-sequence-"+enc.name, begin, first)
	}
	g.copy("of-oss", "copy-opened", "parts-aes256", engine.CopyObjectRequest{}) // read and written anew
	g.put("of-oss", "noise", noise(), engine.PutObjectRequest{
		Attributes: engine.Attributes{ContentType: "text/plain", CacheControl: "no-cache", ContentDisposition: "inline", ContentEncoding: "identity", Expires: "never", Metadata: map[string]string{"a": "1", "b": "2"}, Tags: map[string]string{"tag": "value"}, StorageClass: "IA"},
	})
	g.put("of-oss", "empty", nil, engine.PutObjectRequest{})
	id := g.initiate("of-oss", "open-copies", engine.InitiateMultipartUploadRequest{})
	g.part("of-oss", "open-copies", id, 3, second, nil) // is replaced
	for n, source := range []struct{ key, rng string }{
		{"parts-plain", "bytes=0-102399"}, {"parts-plain", ""}, {"put-plain", ""}, // the first and the last by reference
	} {
		_, err := g.e.UploadPartCopy(context.Background(), &engine.UploadPartCopyRequest{
			Bucket: "of-oss", Key: "open-copies", UploadID: id, PartNumber: n + 1, SourceBucket: "of-oss", SourceKey: source.key,
			SourceRange: source.rng,
		})
		g.must(err)
	}
	g.initiate("of-oss", "open-empty", engine.InitiateMultipartUploadRequest{})

	// Of more than a page of chunks each, which are all equal.
	large := bytes.Repeat([]byte("12345678"), int(engine.S3.MinPartSize()/8))
	for _, sum := range []string{"CRC32C", "SHA256", "CRC64NVME"} {
		id := g.initiate("of-s3", "parts-"+sum, engine.InitiateMultipartUploadRequest{Checksum: engine.Checksum{Algorithm: crypto.ChecksumAlgorithm(sum)}}, large, second)
		g.complete("of-s3", "parts-"+sum, id, nil)
		g.put("of-s3", "put-"+sum, second, engine.PutObjectRequest{Checksum: engine.Checksum{Algorithm: crypto.ChecksumAlgorithm(sum)}})
	}
	for _, bucket := range []string{"scope-bucket", "scope-none"} {
		g.put(bucket, "put", text(5, 50_000), engine.PutObjectRequest{})
		g.put(bucket, "again", text(5, 50_000), engine.PutObjectRequest{})
	}
}

// more deletes and overwrites, and leaves holes and trash.
func (g *goldenBuilder) more() {
	g.put("of-oss", "late", random(6, 10*goldenChunk), engine.PutObjectRequest{})
	g.put("of-oss", "put-plain", text(7, 60_000), engine.PutObjectRequest{})
	id := g.initiate("of-s3", "open-late", engine.InitiateMultipartUploadRequest{EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "AES256"}}, text(8, 50_000))
	g.part("of-s3", "open-late", id, 1, text(9, 50_000), nil)
	mustDelete(g.t, g.e, "of-oss", "copy-plain")
	mustDelete(g.t, g.e, "of-oss", "put-kms")
}

// goldenImage returns the image of a store with records of its own key or without, which was
// closed, or is in use.
func goldenImage(t *testing.T, ring *crypto.Keyring, s goldenStore) *storeImage {
	t.Helper()
	dir := t.TempDir()
	o := goldenOptions(ring)
	o.Clock, o.AuthenticateRecords, o.Volumes = goldenClock(), s.authenticated, s.volumes
	e, err := engine.Open(context.Background(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	g := &goldenBuilder{t: t, e: e}
	if s.few {
		g.few()
	} else {
		g.everything()
	}
	if s.killed {
		mustClose(t, e)
		if g.e, err = engine.Open(context.Background(), dir, o); err != nil {
			t.Fatal(err)
		}
		g.more()
		obj := mustGet(t, g.e, "of-oss", "noise", "") // what is deleted waits for who reads it
		mustDelete(t, g.e, "of-oss", "noise")
		mustReclaim(t, g.e)
		img, err := readImage(dir)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(io.Discard, obj)
		g.must(err)
		g.must(obj.Close())
		mustClose(t, g.e)
		return img
	}
	mustReclaim(t, g.e)
	mustClose(t, g.e)
	img, err := readImage(dir)
	if err != nil {
		t.Fatal(err)
	}
	return img
}
