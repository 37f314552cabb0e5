package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// mustCopy copies an object within the bucket.
func mustCopy(t testing.TB, e *engine.Engine, req engine.CopyObjectRequest) *engine.CopyObjectResult {
	t.Helper()
	req.Bucket, req.SourceBucket = orElse(req.Bucket, "bucket"), orElse(req.SourceBucket, "bucket")
	res, err := e.CopyObject(context.Background(), &req)
	if err != nil {
		t.Fatalf("CopyObject: %v", err)
	}
	return res
}

// head describes an object.
func head(t testing.TB, e *engine.Engine, bucket, key string) *engine.ObjectInfo {
	t.Helper()
	info, err := e.HeadObject(context.Background(), &engine.HeadObjectRequest{Bucket: bucket, Key: key})
	if err != nil {
		t.Fatalf("HeadObject: %v", err)
	}
	return info
}

// sources puts one object of each shape, plain and encrypted, and returns their contents by key.
func sources(t *testing.T, e *engine.Engine, chunk int) map[string][]byte {
	t.Helper()
	mustBucket(t, e, "bucket")
	contents := map[string][]byte{}
	for _, sse := range []string{"", "AES256", "KMS"} {
		for name, parts := range map[string][][]byte{
			"no part": {}, "empty part": {nil}, "one part": {random(1, 3*chunk+5)},
			"parts": {random(2, minPart), random(3, minPart+chunk/2), random(4, 1)},
		} {
			mustObject(t, e, "bucket", name+sse, sse, parts...)
			contents[name+sse] = slices.Concat(parts...)
		}
		for name, body := range map[string][]byte{"put empty": nil, "put inline": random(5, 1000), "put": random(6, 40_000)} {
			mustPut(t, e, engine.PutObjectRequest{Key: name + sse, Body: bytes.NewReader(body), EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm(sse)}})
			contents[name+sse] = body
		}
	}
	return contents
}

// TestCopyObject copies objects of every shape between all kinds of encryption, and deletes source
// or copy: the other stays whole.
func TestCopyObject(t *testing.T) {
	const chunk = 8 << 10
	e := openTemp(t, &engine.Options{ChunkSize: chunk, Keys: keys(t), VolumeSize: 1 << 20})
	contents := sources(t, e, chunk)
	for key, want := range contents {
		for _, sse := range []string{"", "AES256", "KMS"} {
			src := head(t, e, "bucket", key)
			before := tallyOf(t, e)
			res := mustCopy(t, e, engine.CopyObjectRequest{Key: "copy", SourceKey: key, EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm(sse)}})
			got := head(t, e, "bucket", "copy")
			if res.ETag != src.ETag || res.CRC64 != src.CRC64 || res.Size != src.Size || res.ServerSideEncryption != engine.EncryptionAlgorithm(sse) {
				t.Errorf("the copy of %q is %+v, its source %+v", key, res, src)
			}
			if got.ETag != src.ETag || got.Type != src.Type || got.Parts != src.Parts || got.ContentMD5 != src.ContentMD5 || got.ServerSideEncryption != engine.EncryptionAlgorithm(sse) {
				t.Errorf("the copy of %q heads as %+v, its source as %+v", key, got, src)
			}
			after := tallyOf(t, e)
			if engine.EncryptionAlgorithm(sse) == src.ServerSideEncryption && (after.Chunks != before.Chunks || after.References != before.References || after.Parts != before.Parts) {
				t.Errorf("the copy of %q under the same keys cost %+v, before it was %+v", key, after, before)
			}
			if !bytes.Equal(readAll(t, e, "bucket", "copy"), want) {
				t.Errorf("the copy of %q to %q reads differently", key, sse)
			}
			mustCopy(t, e, engine.CopyObjectRequest{Key: "second", SourceKey: "copy", EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm(sse)}})
			mustDelete(t, e, "bucket", "copy")
			mustReclaim(t, e)
			if !bytes.Equal(readAll(t, e, "bucket", "second"), want) || !bytes.Equal(readAll(t, e, "bucket", key), want) {
				t.Errorf("with a copy of %q to %q deleted the others read differently", key, sse)
			}
			mustDelete(t, e, "bucket", "second")
		}
	}
	// The copies outlive their sources.
	for key := range contents {
		mustCopy(t, e, engine.CopyObjectRequest{Key: "kept " + key, SourceKey: key, EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: head(t, e, "bucket", key).ServerSideEncryption}})
	}
	for key := range contents {
		mustDelete(t, e, "bucket", key)
	}
	mustReclaim(t, e)
	for key, want := range contents {
		if !bytes.Equal(readAll(t, e, "bucket", "kept "+key), want) {
			t.Errorf("the copy of %q does not outlive it", key)
		}
		mustDelete(t, e, "bucket", "kept "+key)
	}
	if left := tallyOf(t, e); left != (tally{}) || stats(t, e).InlineBytes != 0 {
		t.Errorf("left is %+v", left)
	}
}

// TestCopySays checks what the copy says about itself: of the source or of the request.
func TestCopySays(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	e := openTemp(t, &engine.Options{Clock: func() time.Time { return now }})
	mustBucket(t, e, "bucket")
	put := engine.PutObjectRequest{
		Key: "key", Body: strings.NewReader("content"), Attributes: engine.Attributes{ContentType: "text/plain", CacheControl: "no-cache", Metadata: map[string]string{"a": "1"}, Tags: map[string]string{"t": "1"}, StorageClass: "IA"},
	}
	mustPut(t, e, put)
	now = now.Add(time.Hour)
	replaced := engine.CopyObjectRequest{
		SourceKey: "key", MetadataDirective: "REPLACE", Attributes: engine.Attributes{ContentType: "text/html", Metadata: map[string]string{"B": "2"}, Tags: map[string]string{"u": "2"}, StorageClass: "Archive"},
	}
	check := func(what string, got *engine.ObjectInfo, contentType, cacheControl string, metadata, tags map[string]string, class string) {
		t.Helper()
		if got.ContentType != contentType || got.CacheControl != cacheControl || !maps.Equal(got.Metadata, metadata) ||
			!maps.Equal(got.Tags, tags) || string(got.StorageClass) != class || !got.LastModified.Equal(now) || got.ETag != md5ETag([]byte("content")) {
			t.Errorf("%s: %+v", what, got)
		}
	}
	source, request := map[string]string{"a": "1"}, map[string]string{"b": "2"}
	mustCopy(t, e, engine.CopyObjectRequest{Key: "default", SourceKey: "key", Attributes: engine.Attributes{ContentType: "ignored", Tags: map[string]string{"ignored": ""}}})
	check("the default", head(t, e, "bucket", "default"), "text/plain", "no-cache", source, map[string]string{"t": "1"}, "Standard")
	replaced.Key = "replaced"
	mustCopy(t, e, replaced)
	check("REPLACE", head(t, e, "bucket", "replaced"), "text/html", "", request, map[string]string{"t": "1"}, "Archive")
	replaced.TaggingDirective = "REPLACE"
	mustCopy(t, e, replaced)
	check("REPLACE of tags", head(t, e, "bucket", "replaced"), "text/html", "", request, map[string]string{"u": "2"}, "Archive")

	// Onto itself it changes what is said.
	now = now.Add(time.Hour)
	replaced.Key = "key"
	mustCopy(t, e, replaced)
	check("onto itself", head(t, e, "bucket", "key"), "text/html", "", request, map[string]string{"u": "2"}, "Archive")
	if got := readAll(t, e, "bucket", "key"); string(got) != "content" {
		t.Errorf("the object copied onto itself holds %q", got)
	}
	mustDelete(t, e, "bucket", "key")
	mustDelete(t, e, "bucket", "default")
	mustReclaim(t, e)
	if got := readAll(t, e, "bucket", "replaced"); string(got) != "content" {
		t.Errorf("the last copy holds %q", got)
	}
}

// TestCopyOntoItself encrypts an object in place, also anew.
func TestCopyOntoItself(t *testing.T) {
	e := openTemp(t, &engine.Options{Keys: keys(t), ChunkSize: 8 << 10})
	want := random(1, 50_000)
	mustBucket(t, e, "bucket")
	mustPut(t, e, engine.PutObjectRequest{Key: "key", Body: bytes.NewReader(want)})
	for _, sse := range []string{"AES256", "KMS", "KMS", "", ""} {
		mustCopy(t, e, engine.CopyObjectRequest{Key: "key", SourceKey: "key", EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm(sse)}})
		if got := head(t, e, "bucket", "key"); got.ServerSideEncryption != engine.EncryptionAlgorithm(sse) || got.ETag != md5ETag(want) {
			t.Errorf("to %q: %+v", sse, got)
		}
		if !bytes.Equal(readAll(t, e, "bucket", "key"), want) {
			t.Errorf("to %q: it reads differently", sse)
		}
	}
	got := tallyOf(t, e)
	if want := (tally{Objects: 1, Parts: 1, Chunks: 7, References: 7, LogicalBytes: 50_000, StoredBytes: got.StoredBytes}); got != want {
		t.Errorf("the store holds %+v, want %+v", got, want)
	}
}

// TestCopyWhileChanging copies an object that others overwrite and delete. Every copy is of one
// version, and never of one that had been replaced before the copy began.
func TestCopyWhileChanging(t *testing.T) {
	e := openTemp(t, &engine.Options{Keys: keys(t), ChunkSize: 4 << 10, VolumeSize: 1 << 20})
	mustBucket(t, e, "bucket")
	body := func(n int) []byte { return bytes.Repeat([]byte(fmt.Sprintf("%08d", n)), 1500) }
	mustPut(t, e, engine.PutObjectRequest{Key: "key", Body: bytes.NewReader(body(0))})
	stop, done := make(chan struct{}), make(chan error, 2)
	versions := make(chan int, 1)
	versions <- 0
	go func() { // the writer
		for n := 1; ; n++ {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			_, err := e.PutObject(context.Background(), &engine.PutObjectRequest{Bucket: "bucket", Key: "key", Body: bytes.NewReader(body(n))})
			if err != nil {
				done <- err
				return
			}
			<-versions
			versions <- n
		}
	}()
	go func() { // who makes the space come back
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			if _, err := e.Reclaim(context.Background(), &engine.ReclaimRequest{}); err != nil {
				done <- err
				return
			}
		}
	}()
	for i := range 60 {
		oldest := <-versions
		versions <- oldest
		copied := engine.CopyObjectRequest{Bucket: "bucket", Key: "copy", SourceBucket: "bucket", SourceKey: "key", EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm([]string{"", "AES256"}[i%2])}}
		if _, err := e.CopyObject(context.Background(), &copied); err != nil {
			t.Errorf("CopyObject: %v", err)
			break
		}
		got := readAll(t, e, "bucket", "copy")
		var n int
		if _, err := fmt.Sscanf(string(got[:8]), "%d", &n); err != nil || !bytes.Equal(got, body(n)) {
			t.Errorf("the copy is of no version: %.20q, %v", got, err)
		}
		if n < oldest {
			t.Errorf("the copy is of version %d, which %d had replaced before", n, oldest)
		}
	}
	close(stop)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// TestUploadPartCopy copies ranges of objects of every shape into uploads of every kind of
// encryption. The part is as if its bytes had been sent.
func TestUploadPartCopy(t *testing.T) {
	const chunk = 8 << 10
	e := openTemp(t, &engine.Options{ChunkSize: chunk, Keys: keys(t)})
	for key, want := range sources(t, e, chunk) {
		for _, sse := range []string{"", "AES256"} {
			id := mustInitiate(t, e, "bucket", "target", sse)
			size := len(want)
			ranges := [][2]int{{0, size}}
			if size > 0 {
				ranges = append(ranges, [2]int{0, 1}, [2]int{size - 1, size}, [2]int{size / 3, size - size/3}, [2]int{min(chunk, size) - 1, size})
			}
			if size > minPart {
				ranges = append(ranges, [2]int{0, minPart}, [2]int{minPart, 2*minPart + chunk/2}, [2]int{1, minPart}, [2]int{minPart, minPart + 1})
			}
			for _, r := range ranges {
				part := want[r[0]:r[1]]
				req := engine.UploadPartCopyRequest{
					Bucket: "bucket", Key: "target", UploadID: id, PartNumber: 1, SourceBucket: "bucket", SourceKey: key,
				}
				said := ""
				if r != ranges[0] {
					req.SourceRange = fmt.Sprintf("bytes=%d-%d", r[0], r[1]-1)
					said = fmt.Sprintf("bytes %d-%d/%d", r[0], r[1]-1, size)
				}
				got, err := e.UploadPartCopy(context.Background(), &req)
				if err != nil {
					t.Fatalf("%q %s: %v", key, req.SourceRange, err)
				}
				if got.ETag != md5ETag(part) || got.Size != int64(len(part)) || got.CRC64 != crc64Of(part) || got.SourceSize != int64(size) ||
					got.SourceRange != said || got.ServerSideEncryption != engine.EncryptionAlgorithm(sse) {
					t.Errorf("%q %s: the part is %+v", key, req.SourceRange, got)
				}
				if listed := partsOf(t, e, "bucket", "target", id); len(listed) != 1 || listed[0].ETag != got.ETag || !listed[0].LastModified.Equal(got.LastModified) {
					t.Errorf("%q %s: listed is %+v", key, req.SourceRange, listed)
				}
			}
			mustPart(t, e, "bucket", "target", id, 2, []byte("more"))
			last := ranges[len(ranges)-1]
			if last[1]-last[0] < minPart { // not in front of another part
				mustComplete(t, e, "bucket", "target", id, engine.CompletedPart{PartNumber: 1, ETag: md5ETag(want[last[0]:last[1]])})
				if got := readAll(t, e, "bucket", "target"); !bytes.Equal(got, want[last[0]:last[1]]) {
					t.Errorf("%q: the object of the last range has %d bytes, or others", key, len(got))
				}
			}
		}
	}
}

// TestUploadPartCopyStoresNothing copies what is aligned to chunks or parts: not a byte is added to
// the volumes, and deleting the source leaves the copy whole.
func TestUploadPartCopyStoresNothing(t *testing.T) {
	const chunk = 16 << 10
	e := openTemp(t, &engine.Options{ChunkSize: chunk, VolumeSize: 1 << 20})
	a, b := random(1, 10*chunk), random(2, 10*chunk+7)
	mustObject(t, e, "bucket", "source", "", a, b)
	before := stats(t, e)
	id := mustInitiate(t, e, "bucket", "target", "")
	whole := slices.Concat(a, b)
	var want [][]byte
	for n, r := range [][2]int{{0, len(whole)}, {0, len(a)}, {len(a), len(whole)}, {0, 8 * chunk}, {2 * chunk, 18 * chunk}, {10 * chunk, 20 * chunk}} {
		_, err := e.UploadPartCopy(context.Background(), &engine.UploadPartCopyRequest{
			Bucket: "bucket", Key: "target", UploadID: id, PartNumber: n + 1,
			SourceBucket: "bucket", SourceKey: "source", SourceRange: fmt.Sprintf("bytes=%d-%d", r[0], r[1]-1),
		})
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, whole[r[0]:r[1]])
	}
	after := stats(t, e)
	if after.Chunks != before.Chunks || after.StoredBytes != before.StoredBytes || after.DeadBytes != before.DeadBytes {
		t.Errorf("the volumes held %+v, hold %+v", before, after)
	}
	if done := mustComplete(t, e, "bucket", "target", id); done.ETag != ossETag(want...) {
		t.Errorf("the object has ETag %s, want %s", done.ETag, ossETag(want...))
	}
	mustDelete(t, e, "bucket", "source")
	mustReclaim(t, e)
	if !bytes.Equal(readAll(t, e, "bucket", "target"), slices.Concat(want...)) {
		t.Error("without its source the copy reads differently")
	}
}

// TestCopyConditions judges the conditions of copies as OSS and S3 do.
func TestCopyConditions(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	e := openTemp(t, &engine.Options{Clock: func() time.Time { return now }})
	mustBucket(t, e, "bucket")
	if _, err := e.CreateBucket(context.Background(), &engine.CreateBucketRequest{Bucket: "s3-bucket", Rules: engine.S3}); err != nil {
		t.Fatal(err)
	}
	mustPut(t, e, engine.PutObjectRequest{Key: "source", Body: strings.NewReader("content")})
	etag := md5ETag([]byte("content"))
	for name, test := range map[string]struct {
		conditions engine.Conditions
		oss, s3    error
	}{
		"IfMatch":                   {engine.Conditions{IfMatch: etag}, nil, nil},
		"IfMatch another":           {engine.Conditions{IfMatch: "x"}, engine.ErrPreconditionFailed, engine.ErrPreconditionFailed},
		"IfUnmodifiedSince equal":   {engine.Conditions{IfUnmodifiedSince: now}, nil, nil},
		"IfUnmodifiedSince before":  {engine.Conditions{IfUnmodifiedSince: now.Add(-time.Second)}, engine.ErrPreconditionFailed, engine.ErrPreconditionFailed},
		"IfNoneMatch":               {engine.Conditions{IfNoneMatch: `"` + strings.ToLower(etag) + `"`}, engine.ErrNotModified, engine.ErrPreconditionFailed},
		"IfNoneMatch another":       {engine.Conditions{IfNoneMatch: "x"}, nil, nil},
		"IfModifiedSince equal":     {engine.Conditions{IfModifiedSince: now}, engine.ErrNotModified, engine.ErrPreconditionFailed},
		"IfModifiedSince before":    {engine.Conditions{IfModifiedSince: now.Add(-time.Second)}, nil, nil},
		"IfMatch and IfNoneMatch":   {engine.Conditions{IfMatch: etag, IfNoneMatch: etag}, engine.ErrNotModified, engine.ErrPreconditionFailed},
		"IfMatch wins over its own": {engine.Conditions{IfMatch: etag, IfUnmodifiedSince: now.Add(-time.Hour)}, nil, nil},
	} {
		for bucket, want := range map[string]error{"bucket": test.oss, "s3-bucket": test.s3} {
			_, err := e.CopyObject(context.Background(), &engine.CopyObjectRequest{
				Bucket: bucket, Key: "copy", SourceBucket: "bucket", SourceKey: "source", Conditions: test.conditions,
			})
			if !errors.Is(err, want) {
				t.Errorf("CopyObject to %s, %s: %v, want %v", bucket, name, err, want)
			}
			up, err := e.InitiateMultipartUpload(context.Background(), &engine.InitiateMultipartUploadRequest{Bucket: bucket, Key: "parts"})
			if err != nil {
				t.Fatal(err)
			}
			_, err = e.UploadPartCopy(context.Background(), &engine.UploadPartCopyRequest{
				Bucket: bucket, Key: "parts", UploadID: up.UploadID, PartNumber: 1, SourceBucket: "bucket", SourceKey: "source", Conditions: test.conditions,
			})
			if !errors.Is(err, want) {
				t.Errorf("UploadPartCopy to %s, %s: %v, want %v", bucket, name, err, want)
			}
		}
	}
}

// damagedBlobs gives out frames whose last byte is wrong, once they are damaged.
type damagedBlobs struct {
	*blob.Memory
	damaged atomic.Bool
}

func (s *damagedBlobs) Get(ctx context.Context, ref blob.Ref, buf []byte) ([]byte, error) {
	frame, err := s.Memory.Get(ctx, ref, buf)
	if err == nil && s.damaged.Load() {
		frame[len(frame)-1] ^= 1
	}
	return frame, err
}

// TestCopyDamaged wants no copy of what cannot be read, unless it shares it, and nothing left.
func TestCopyDamaged(t *testing.T) {
	blobs := &damagedBlobs{Memory: blob.NewMemory(0)}
	e, err := engine.OpenStores(t.Context(), index.NewMemory(), blobs, &engine.Options{Keys: keys(t), ChunkSize: 16 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	mustBucket(t, e, "bucket")
	mustPut(t, e, engine.PutObjectRequest{Key: "source", Body: bytes.NewReader(random(1, 100_000))})
	blobs.damaged.Store(true)
	before := tallyOf(t, e)
	_, err = e.CopyObject(context.Background(), &engine.CopyObjectRequest{
		Bucket: "bucket", Key: "copy", SourceBucket: "bucket", SourceKey: "source", EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "AES256"},
	})
	var corrupt *engine.CorruptionError
	if !errors.As(err, &corrupt) {
		t.Errorf("CopyObject of a damaged object: %v", err)
	}
	id := mustInitiate(t, e, "bucket", "parts", "")
	_, err = e.UploadPartCopy(context.Background(), &engine.UploadPartCopyRequest{
		Bucket: "bucket", Key: "parts", UploadID: id, PartNumber: 1, SourceBucket: "bucket", SourceKey: "source", SourceRange: "bytes=1-2",
	})
	if !errors.As(err, &corrupt) {
		t.Errorf("UploadPartCopy of a damaged object: %v", err)
	}
	before.Uploads++
	if after := tallyOf(t, e); after != before {
		t.Errorf("the store holds %+v, held %+v before", after, before)
	}
}

// TestCopyWrongDigest wants a copy byte by byte to notice that the bytes are not those of the
// record.
func TestCopyWrongDigest(t *testing.T) {
	e, idx := memoryStore(t, &engine.Options{Keys: keys(t)})
	mustBucket(t, e, "bucket")
	mustPut(t, e, engine.PutObjectRequest{Key: "source", Body: strings.NewReader("content")})
	err := idx.Update(context.Background(), func(tx index.Tx) error {
		part := first(index.Scan(tx, index.AllParts()))
		part.Record.ETag[0] ^= 1
		return index.Put(tx, part.Key, &part.Record)
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.CopyObject(context.Background(), &engine.CopyObjectRequest{
		Bucket: "bucket", Key: "copy", SourceBucket: "bucket", SourceKey: "source", EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "AES256"},
	})
	var corrupt *engine.CorruptionError
	if !errors.As(err, &corrupt) {
		t.Errorf("CopyObject: %v", err)
	}
}

// TestCopyLarge copies 2 GiB, or what GABION_COPY says in bytes, by reference.
func TestCopyLarge(t *testing.T) {
	size := rounds(t, "GABION_COPY", 64<<20)
	e := openTemp(t, &engine.Options{Keys: keys(t)})
	for _, sse := range []string{"", "AES256"} {
		id := mustInitiate(t, e, "bucket", "source"+sse, sse)
		const part = 32 << 20
		for n := 1; n*part <= size; n++ {
			mustPart(t, e, "bucket", "source"+sse, id, n, random(uint64(n), part))
		}
		mustComplete(t, e, "bucket", "source"+sse, id)
		before := stats(t, e)
		mustCopy(t, e, engine.CopyObjectRequest{Key: "copy" + sse, SourceKey: "source" + sse, EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm(sse)}})
		after := stats(t, e)
		if after.StoredBytes != before.StoredBytes || after.DeadBytes != before.DeadBytes || after.Chunks != before.Chunks {
			t.Errorf("the volumes held %+v, hold %+v after a copy", before, after)
		}
		mustDelete(t, e, "bucket", "source"+sse)
		mustReclaim(t, e)
		checkStore(t, e)
		obj := mustGet(t, e, "bucket", "copy"+sse, "")
		n, err := io.Copy(io.Discard, obj) // which verifies
		if err != nil || n != int64(size/part*part) {
			t.Errorf("the copy reads %d bytes, %v", n, err)
		}
	}
}

// A copy between a client's keys needs both.
func TestCopyCustomerKeys(t *testing.T) {
	e := openTemp(t, &engine.Options{Keys: keys(t), ChunkSize: 16 << 10})
	mustBucket(t, e, "bucket")
	one, two := crypto.CustomerKey(random(1, 32)), crypto.CustomerKey(random(2, 32))
	want := random(3, 100_000)
	mustPut(t, e, engine.PutObjectRequest{Key: "source", Body: bytes.NewReader(want), EncryptionRequest: engine.EncryptionRequest{SSECustomerKey: one}})
	copied := engine.CopyObjectRequest{Bucket: "bucket", Key: "copy", SourceBucket: "bucket", SourceKey: "source", EncryptionRequest: engine.EncryptionRequest{SSECustomerKey: two}}
	if _, err := e.CopyObject(context.Background(), &copied); !errors.Is(err, engine.ErrInvalidRequest) {
		t.Errorf("without the source's key: %v", err)
	}
	copied.SourceSSECustomerKey = two
	if _, err := e.CopyObject(context.Background(), &copied); !errors.Is(err, engine.ErrAccessDenied) {
		t.Errorf("with another key: %v", err)
	}
	copied.SourceSSECustomerKey = one
	if res, err := e.CopyObject(context.Background(), &copied); err != nil || res.SSECustomerAlgorithm != "AES256" {
		t.Fatalf("with both keys: %+v, %v", res, err)
	}
	obj, err := e.GetObject(context.Background(), &engine.GetObjectRequest{Bucket: "bucket", Key: "copy", SSECustomerKey: two})
	if err != nil {
		t.Fatal(err)
	}
	defer obj.Close()
	if got, err := io.ReadAll(obj); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the copy reads %d bytes, %v", len(got), err)
	}
}
