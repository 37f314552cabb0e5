package engine_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// minS3Part is the smallest part that Complete takes in front of others under S3's rules.
const minS3Part = 5 << 20

// s3ETag is S3's ETag of an object of these parts.
func s3ETag(parts ...[]byte) string {
	sums := md5.New()
	for _, p := range parts {
		sum := md5.Sum(p)
		sums.Write(sum[:])
	}
	return fmt.Sprintf("%x-%d", sums.Sum(nil), len(parts))
}

// s3Store opens a store with a bucket "bucket" under S3's rules.
func s3Store(t *testing.T, dir string, o *engine.Options) *engine.Engine {
	t.Helper()
	e := open(t, dir, o)
	_, err := e.CreateBucket(context.Background(), &engine.CreateBucketRequest{Bucket: "bucket", Rules: engine.S3})
	if err != nil && !errors.Is(err, engine.ErrBucketAlreadyExists) {
		t.Fatal(err)
	}
	return e
}

// TestS3Rules keeps to the rules of the bucket, also after the store was opened with others.
func TestS3Rules(t *testing.T) {
	dir := t.TempDir()
	e := s3Store(t, dir, nil)
	mustBucket(t, e, "oss-bucket")
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = open(t, dir, &engine.Options{Rules: engine.S3})
	mustBucket(t, e, "new-bucket")
	want := map[string]engine.Rules{"bucket": engine.S3, "oss-bucket": engine.OSS, "new-bucket": engine.S3}
	res, err := e.ListBuckets(context.Background(), &engine.ListBucketsRequest{})
	if err != nil || len(res.Buckets) != 3 {
		t.Fatalf("ListBuckets: %v, %v", res, err)
	}
	for _, b := range res.Buckets {
		if b.Rules != want[b.Name] {
			t.Errorf("bucket %s has the rules %s, want %s", b.Name, b.Rules, want[b.Name])
		}
	}

	body := []byte("content")
	lower := strings.ToLower(md5ETag(body))
	if got := mustPut(t, e, engine.PutObjectRequest{Key: "/key", Body: bytes.NewReader(body)}); got.ETag != lower {
		t.Errorf("ETag of PutObject is %s, want %s", got.ETag, lower)
	}
	id := mustInitiate(t, e, "bucket", strings.Repeat("k", 1024), "")
	if got := mustPart(t, e, "bucket", strings.Repeat("k", 1024), id, 1, body); got.ETag != lower {
		t.Errorf("ETag of UploadPart is %s, want %s", got.ETag, lower)
	}
	if got := partsOf(t, e, "bucket", strings.Repeat("k", 1024), id); got[0].ETag != lower {
		t.Errorf("ETag of ListParts is %s, want %s", got[0].ETag, lower)
	}

	crc := crc64Of(body) + 1
	for what, req := range map[string]engine.PutObjectRequest{"MD5": {ContentMD5: base64MD5([]byte("another"))}, "CRC-64": {CRC64: &crc}} {
		req.Bucket, req.Key, req.Body = "bucket", "key", bytes.NewReader(body)
		if _, err := e.PutObject(context.Background(), &req); !errors.Is(err, engine.ErrBadDigest) {
			t.Errorf("PutObject with the %s of another body: %v", what, err)
		}
	}

	large, small := random(1, minS3Part), random(2, minS3Part-1)
	if got := mustObject(t, e, "bucket", "parts", "", large, small); got.ETag != s3ETag(large, small) {
		t.Errorf("ETag of Complete is %s, want %s", got.ETag, s3ETag(large, small))
	}
	id = mustInitiate(t, e, "bucket", "small", "")
	mustPart(t, e, "bucket", "small", id, 1, small)
	mustPart(t, e, "bucket", "small", id, 2, large)
	_, err = e.CompleteMultipartUpload(context.Background(), &engine.CompleteMultipartUploadRequest{Bucket: "bucket", Key: "small", UploadID: id, All: true})
	if !errors.Is(err, engine.ErrEntityTooSmall) || asError(t, err).PartNumber != 1 {
		t.Errorf("Complete with a small part: %v", err)
	}

	// The rules of a copy's ETag are the target's.
	for key, want := range map[string][2]string{"/key": {md5ETag(body), lower}, "parts": {ossETag(large, small), s3ETag(large, small)}} {
		there := engine.CopyObjectRequest{Bucket: "oss-bucket", Key: "copy", SourceBucket: "bucket", SourceKey: key}
		if got := mustCopy(t, e, there); got.ETag != want[0] {
			t.Errorf("the copy of %s to OSS has ETag %s, want %s", key, got.ETag, want[0])
		}
		back := engine.CopyObjectRequest{Bucket: "bucket", Key: "back", SourceBucket: "oss-bucket", SourceKey: "copy"}
		if got := mustCopy(t, e, back); got.ETag != want[1] || head(t, e, "bucket", "back").ETag != want[1] {
			t.Errorf("the copy of %s back has ETag %s, want %s", key, got.ETag, want[1])
		}
	}
}

// TestRepeatComplete completes twice, as clients do that did not get the answer.
func TestRepeatComplete(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	o := &engine.Options{Clock: func() time.Time { return now }}
	dir := t.TempDir()
	e := s3Store(t, dir, o)
	ctx := context.Background()
	id := mustInitiate(t, e, "bucket", "key", "")
	part := mustPart(t, e, "bucket", "key", id, 3, []byte("content"))
	req := &engine.CompleteMultipartUploadRequest{
		Bucket: "bucket", Key: "key", UploadID: id, Preconditions: engine.Preconditions{IfNoneMatch: "*"},
		Parts: []engine.CompletedPart{{PartNumber: 3, ETag: part.ETag}},
	}
	first, err := e.CompleteMultipartUpload(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	again := func(what string, want error) {
		t.Helper()
		got, err := e.CompleteMultipartUpload(ctx, req)
		if !errors.Is(err, want) || err == nil && same(got, first) != nil {
			t.Errorf("Complete again %s: %+v, %v; the first was %+v, want %v", what, got, err, first, want)
		}
	}
	again("at once", nil)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = s3Store(t, dir, o)
	now = now.Add(time.Hour)
	again("after an hour and a restart", nil)
	mustPut(t, e, engine.PutObjectRequest{Key: "key", Body: strings.NewReader("another")})
	again("when the object was overwritten", nil)
	if got := readAll(t, e, "bucket", "key"); string(got) != "another" {
		t.Errorf("the repeated Complete changed the object to %q", got)
	}
	mustDelete(t, e, "bucket", "key")
	again("when the object was deleted", nil)
	mustReclaim(t, e)
	again("when its space was reclaimed", nil)

	good := req.Parts
	req.Parts = []engine.CompletedPart{{PartNumber: 2, ETag: part.ETag}}
	again("with another list", engine.ErrNoSuchUpload)
	req.Parts, req.Key = good, "another"
	again("of another key", engine.ErrNoSuchUpload)
	req.Key = "key"
	_, err = e.UploadPart(ctx, &engine.UploadPartRequest{Bucket: "bucket", Key: "key", UploadID: id, PartNumber: 1, Body: strings.NewReader("late")})
	if !errors.Is(err, engine.ErrNoSuchUpload) {
		t.Errorf("UploadPart after Complete: %v", err)
	}
	_, err = e.AbortMultipartUpload(ctx, &engine.AbortMultipartUploadRequest{Bucket: "bucket", Key: "key", UploadID: id})
	if !errors.Is(err, engine.ErrNoSuchUpload) {
		t.Errorf("Abort after Complete: %v", err)
	}
	now = now.Add(time.Second)
	again("after more than an hour", engine.ErrNoSuchUpload)
}

// TestRepeatCompleteIsBounded makes many objects: what is remembered of them does not grow for
// ever.
func TestRepeatCompleteIsBounded(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	e, idx := memoryStore(t, &engine.Options{Rules: engine.S3, Clock: func() time.Time { return now }})
	var latest []*engine.CompleteMultipartUploadRequest
	for n := range 300 {
		now = now.Add(time.Minute)
		id := mustInitiate(t, e, "bucket", "key", "")
		part := mustPart(t, e, "bucket", "key", id, 1, []byte{byte(n)})
		latest = append(latest, &engine.CompleteMultipartUploadRequest{
			Bucket: "bucket", Key: "key", UploadID: id, Parts: []engine.CompletedPart{{PartNumber: 1, ETag: part.ETag}},
		})
		if _, err := e.CompleteMultipartUpload(context.Background(), latest[n]); err != nil {
			t.Fatal(err)
		}
	}
	checkStore(t, e)
	if n := countCompleted(t, idx); n > 62 {
		t.Errorf("%d answers are remembered of an upload a minute, want those of an hour", n)
	}
	for i, req := range latest[len(latest)-60:] {
		if _, err := e.CompleteMultipartUpload(context.Background(), req); err != nil {
			t.Errorf("the answer of %d minutes ago: %v", 60-i, err)
		}
	}
}

// TestRepeatCompleteHasMost fills the table of answers with fresh ones.
func TestRepeatCompleteHasMost(t *testing.T) {
	t.Parallel()
	const most = 1 << 16
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	e, idx := memoryStore(t, &engine.Options{Rules: engine.S3, Clock: func() time.Time { return now }})
	mustBucket(t, e, "bucket")
	for n := 0; n < most; n += 4096 {
		err := idx.Update(context.Background(), func(tx index.Tx) error {
			for i := n; i < n+4096; i++ {
				id := index.ContentID{1, byte(i >> 16), byte(i >> 8), byte(i)}
				if err := index.Put(tx, index.CompletedKey(id), &index.Completed{Object: index.Object{Modified: now}}); err != nil {
					return err
				}
				if _, err := index.Push(tx, index.AnswerQueue(), &index.Answer{Upload: id, Given: now}); err != nil {
					return err
				}
			}
			return index.Put(tx, index.TotalsKey(), &index.Totals{Completed: int64(n + 4096)})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	checkStore(t, e)
	for range 3 {
		id := mustInitiate(t, e, "bucket", "key", "")
		mustPart(t, e, "bucket", "key", id, 1, nil)
		mustComplete(t, e, "bucket", "key", id)
		if n := countCompleted(t, idx); n != most {
			t.Errorf("%d answers are remembered, want %d", n, most)
		}
	}
	checkStore(t, e)
}

// TestOrderedUploadIDs wants the ids of S3's uploads in the order of initiation, even by a clock
// that stands still or goes back.
func TestOrderedUploadIDs(t *testing.T) {
	times := []time.Duration{0, 1, 1, 1, 5, 3, 0, 7}
	start, n := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), 0
	e := s3Store(t, t.TempDir(), &engine.Options{Clock: func() time.Time { n++; return start.Add(times[n%len(times)]) }})
	var ids []string
	for range 100 {
		ids = append(ids, mustInitiate(t, e, "bucket", "key", ""))
	}
	if !slices.IsSorted(ids) {
		t.Errorf("the ids are not in order: %v", ids)
	}
}

// TestGetPart reads an object part by part.
func TestGetPart(t *testing.T) {
	e := openTemp(t, nil)
	parts := [][]byte{random(1, minPart), random(2, minPart+1), random(3, 7)}
	mustObject(t, e, "bucket", "parts", "", parts...)
	mustPut(t, e, engine.PutObjectRequest{Key: "put", Body: bytes.NewReader(parts[0])})
	mustObject(t, e, "bucket", "empty", "")
	get := func(key string, n int) (*engine.Object, error) {
		return e.GetObject(context.Background(), &engine.GetObjectRequest{Bucket: "bucket", Key: key, PartNumber: n})
	}
	for key, parts := range map[string][][]byte{"parts": parts, "put": parts[:1], "empty": {nil}} {
		for i, want := range parts {
			obj, err := get(key, i+1)
			if err != nil {
				t.Fatalf("part %d of %s: %v", i+1, key, err)
			}
			got, err := io.ReadAll(obj)
			if _, length, _ := selected(obj); err != nil || !bytes.Equal(got, want) || length != int64(len(want)) || obj.Size != head(t, e, "bucket", key).Size {
				t.Errorf("part %d of %s: %d bytes, %v", i+1, key, len(got), err)
			}
			obj.Close()
		}
		if _, err := get(key, len(parts)+1); !errors.Is(err, engine.ErrInvalidPartNumber) {
			t.Errorf("part %d of %s: %v", len(parts)+1, key, err)
		}
	}
}

// countCompleted counts the answers that a store remembers.
func countCompleted(t *testing.T, idx *index.Memory) (n int) {
	t.Helper()
	err := idx.View(context.Background(), func(r index.Reader) error {
		for _, err := range index.Scan(r, index.AllCompleted()) {
			if err != nil {
				return err
			}
			n++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestExpireAfterAClockJump lets the clock be ahead for one upload. Those after it are dated by the
// clock, and expire.
func TestExpireAfterAClockJump(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	e, _ := memoryStore(t, &engine.Options{Rules: engine.S3, Clock: func() time.Time { return now }})
	now = now.AddDate(10, 0, 0)
	ids := []string{mustInitiate(t, e, "bucket", "key", "")}
	now = now.AddDate(-10, 0, 0)
	for range 3 {
		ids = append(ids, mustInitiate(t, e, "bucket", "key", ""))
	}
	if !slices.IsSorted(ids) {
		t.Errorf("the ids are not in order: %v", ids)
	}
	now = now.Add(time.Hour)
	if res, err := e.Expire(t.Context(), &engine.ExpireRequest{Before: now}); err != nil || res.Uploads != 3 {
		t.Errorf("Expire: %+v, %v, want the 3 uploads of an hour ago", res, err)
	}
}
