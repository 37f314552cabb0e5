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

func TestNames(t *testing.T) {
	e := openTemp(t, nil)
	ctx := context.Background()
	for name, valid := range map[string]bool{
		"abc": true, "a-b": true, "123": true, strings.Repeat("b", 63): true,
		"": false, "ab": false, strings.Repeat("b", 64): false, "-ab": false, "ab-": false,
		"Abc": false, "a.b": false, "a_b": false, "a/b": false, "a\x00b": false, "äbc": false,
	} {
		_, err := e.CreateBucket(ctx, &engine.CreateBucketRequest{Bucket: name})
		if valid && err != nil || !valid && !errors.Is(err, engine.ErrInvalidBucketName) {
			t.Errorf("CreateBucket(%q): %v", name, err)
		}
	}
	for key, valid := range map[string]bool{
		"a": true, "a/b": true, "a//b": true, "äöü": true, " ": true, "a\x00b": true, "a\\b": true, "../a": true,
		strings.Repeat("k", 1023): true,
		"":                        false, "/": false, "/a": false, `\a`: false, "\xff": false, strings.Repeat("ä", 512): false,
	} {
		_, err := e.InitiateMultipartUpload(ctx, &engine.InitiateMultipartUploadRequest{Bucket: "abc", Key: key})
		if valid && err != nil || !valid && !errors.Is(err, engine.ErrInvalidObjectName) {
			t.Errorf("InitiateMultipartUpload(%q): %v", key, err)
		}
		if !valid {
			continue
		}
		// The name goes all the way.
		mustObject(t, e, "abc", key, "", []byte(key))
		if got := readAll(t, e, "abc", key); string(got) != key {
			t.Errorf("object %q holds %q", key, got)
		}
	}
}

func TestBuckets(t *testing.T) {
	e := openTemp(t, nil)
	ctx := context.Background()
	for _, name := range []string{"zzz", "aaa", "aaa-b"} {
		mustBucket(t, e, name)
	}
	list := func() (names []string) {
		res, err := e.ListBuckets(ctx, &engine.ListBucketsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range res.Buckets {
			if b.Rules != engine.OSS || b.Created.IsZero() {
				t.Errorf("bucket %+v, want OSS rules and a date", b)
			}
			names = append(names, b.Name)
		}
		return names
	}
	if got := list(); !slices.Equal(got, []string{"aaa", "aaa-b", "zzz"}) {
		t.Errorf("buckets %q are not all, in order", got)
	}

	// What is in a bucket is in no other one, and keeps only that one from being deleted.
	id := mustInitiate(t, e, "aaa", "key", "")
	mustObject(t, e, "aaa-b", "key", "", []byte("b"))
	_, err := e.DeleteBucket(ctx, &engine.DeleteBucketRequest{Bucket: "aaa"})
	if !errors.Is(err, engine.ErrBucketNotEmpty) || !strings.HasPrefix(asError(t, err).Message, "The bucket has Multipart Uploads.") {
		t.Errorf("DeleteBucket with an open upload: %v", err)
	}
	_, err = e.AbortMultipartUpload(ctx, &engine.AbortMultipartUploadRequest{Bucket: "aaa", Key: "key", UploadID: id})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"aaa", "zzz"} {
		if _, err := e.DeleteBucket(ctx, &engine.DeleteBucketRequest{Bucket: name}); err != nil {
			t.Errorf("DeleteBucket(%s): %v", name, err)
		}
	}
	if got := list(); !slices.Equal(got, []string{"aaa-b"}) {
		t.Errorf("buckets are %q, want aaa-b alone", got)
	}
	mustBucket(t, e, "aaa") // the name is free again, and the bucket is empty
	res, err := e.ListObjects(ctx, &engine.ListObjectsRequest{Bucket: "aaa"})
	if err != nil || len(res.Objects) != 0 {
		t.Errorf("the new bucket lists %v, %v", res, err)
	}

	// A bucket's rules are those that are known, nothing alike.
	for _, odd := range []engine.Rules{"oss", "OSS ", "S4", "\xff"} {
		if _, err := e.CreateBucket(ctx, &engine.CreateBucketRequest{Bucket: "odd", Rules: odd}); !errors.Is(err, engine.ErrInvalidArgument) {
			t.Errorf("CreateBucket with rules %q: %v", odd, err)
		}
		if odd.MinPartSize() != 0 || odd.MaxKeyLength() != 0 || odd.MaxMetadata() != 0 {
			t.Errorf("rules %q have limits", odd)
		}
	}
}

// TestOptions checks that Open takes what it can work with, and names everything else at once.
func TestOptions(t *testing.T) {
	for _, o := range []engine.Options{
		{}, {ChunkSize: 4 << 10}, {ChunkSize: 16 << 20, VolumeSize: 32 << 20}, {ChunkSize: 4 << 10, MemoryBudget: 16 << 10},
	} {
		openTemp(t, &o).Close()
	}
	for _, o := range []engine.Options{
		{ChunkSize: 4<<10 - 1}, {ChunkSize: 16<<20 + 1}, {ChunkSize: -1}, {MemoryBudget: 4*engine.DefaultChunkSize - 1}, {MemoryBudget: -1},
		{VolumeSize: 1}, {VolumeSize: -1}, {ReserveSpace: -1}, {Rules: "FTP"}, {Rules: "oss"}, {DedupScope: "Store"}, {DedupScope: "tenant"},
	} {
		e, err := engine.Open(context.Background(), t.TempDir(), &o)
		if err == nil {
			e.Close()
		}
		if !errors.Is(err, engine.ErrInvalidArgument) {
			t.Errorf("Open with %+v: %v", o, err)
		}
	}
	_, err := engine.Open(context.Background(), t.TempDir(), &engine.Options{ChunkSize: -1, ReserveSpace: -1, DedupScope: "-1"})
	for _, field := range []string{"ChunkSize", "ReserveSpace", "DedupScope"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("Open with three wrong options: %v, does not name %s", err, field)
		}
	}
}

// TestPartDigests checks what UploadPart and Complete say about bodies of every awkward size, and
// that they come back.
func TestPartDigests(t *testing.T) {
	for _, chunk := range []int{4 << 10, 64 << 10, 1 << 20} {
		t.Run(fmt.Sprintf("chunks of %d", chunk), func(t *testing.T) {
			e := openTemp(t, &engine.Options{ChunkSize: chunk})
			first := random(1, minPart)
			for _, size := range []int{0, 1, 15, 16, 17, chunk - 1, chunk, chunk + 1, 3*chunk + 5} {
				key, body := fmt.Sprint(size), random(uint64(size), size)
				sum := md5.Sum(body)
				crc := crc64Of(body)
				id := mustInitiate(t, e, "bucket", key, "")
				mustPart(t, e, "bucket", key, id, 1, first)
				got, err := e.UploadPart(context.Background(), &engine.UploadPartRequest{
					Bucket: "bucket", Key: key, UploadID: id, PartNumber: 2,
					Body: bytes.NewReader(body), Size: int64(size), ContentMD5: base64.StdEncoding.EncodeToString(sum[:]), CRC64: &crc,
				})
				if err != nil {
					t.Fatalf("%d bytes: %v", size, err)
				}
				if got.ETag != md5ETag(body) || got.Size != int64(size) || got.CRC64 != crc || got.ContentMD5 != base64.StdEncoding.EncodeToString(sum[:]) {
					t.Errorf("%d bytes: part is %+v", size, got)
				}
				whole := slices.Concat(first, body)
				done := mustComplete(t, e, "bucket", key, id)
				if done.ETag != ossETag(first, body) || done.Size != int64(len(whole)) || done.CRC64 != crc64Of(whole) {
					t.Errorf("%d bytes: object is %+v", size, done)
				}
				if !bytes.Equal(readAll(t, e, "bucket", key), whole) {
					t.Errorf("%d bytes come back different", size)
				}
			}
		})
	}
}

// TestETagVectors pins the formula to values that were not made by this code.
func TestETagVectors(t *testing.T) {
	e := openTemp(t, nil)
	if got := mustObject(t, e, "bucket", "empty", "").ETag; got != "D41D8CD98F00B204E9800998ECF8427E-0" {
		t.Errorf("ETag of no parts is %s", got)
	}
	// printf D41D8CD98F00B204E9800998ECF8427E | md5sum
	if got := mustObject(t, e, "bucket", "one", "", nil).ETag; got != "80404D0C6D24E87F650FF7D1985CD762-1" {
		t.Errorf("ETag of one empty part is %s", got)
	}
	got := mustObject(t, e, "bucket", "check", "", []byte("123456789"))
	if got.CRC64 != 11051210869376104954 {
		t.Errorf("CRC of 123456789 is %d", got.CRC64)
	}
}

func TestComplete(t *testing.T) {
	e := openTemp(t, nil)
	ctx := context.Background()
	a, b, c := random(1, minPart), random(2, minPart), random(3, 10)
	// upload makes an upload with parts a, b, c under the numbers 1, 5, 10000.
	upload := func(t *testing.T) (id string, list []engine.CompletedPart) {
		id = mustInitiate(t, e, "bucket", "key", "")
		for _, p := range []struct {
			n    int
			body []byte
		}{{10000, c}, {1, a}, {5, b}} { // in whatever order
			list = append(list, engine.CompletedPart{PartNumber: p.n, ETag: mustPart(t, e, "bucket", "key", id, p.n, p.body).ETag})
		}
		return id, []engine.CompletedPart{list[1], list[2], list[0]}
	}
	check := func(t *testing.T, got *engine.CompleteMultipartUploadResult, parts ...[]byte) {
		t.Helper()
		want := slices.Concat(parts...)
		if got.Bucket != "bucket" || got.Key != "key" || got.ETag != ossETag(parts...) || got.Size != int64(len(want)) || got.CRC64 != crc64Of(want) {
			t.Errorf("the object is %+v", got)
		}
		if !bytes.Equal(readAll(t, e, "bucket", "key"), want) {
			t.Error("the object reads differently")
		}
	}
	t.Run("numbers may have gaps", func(t *testing.T) {
		id, list := upload(t)
		check(t, mustComplete(t, e, "bucket", "key", id, list...), a, b, c)
	})
	t.Run("All is every part", func(t *testing.T) {
		id, _ := upload(t)
		check(t, mustComplete(t, e, "bucket", "key", id), a, b, c)
	})
	t.Run("ETags are forgiven quotes and case", func(t *testing.T) {
		id, list := upload(t)
		list[0].ETag = `"` + list[0].ETag + `"`
		list[1].ETag = strings.ToLower(list[1].ETag)
		list[2].ETag = `"` + strings.ToLower(list[2].ETag) + `"`
		check(t, mustComplete(t, e, "bucket", "key", id, list...), a, b, c)
	})
	// Which group is larger, the listed or the others, decides how they are told apart.
	t.Run("one unlisted part is dropped", func(t *testing.T) {
		id, list := upload(t)
		check(t, mustComplete(t, e, "bucket", "key", id, list[0], list[2]), a, c)
		if got := tallyOf(t, e); got.Parts != 2 || got.Chunks != 2 || got.References != 2 {
			t.Errorf("the store holds %+v, want two parts of a chunk each", got)
		}
	})
	t.Run("two unlisted parts are dropped", func(t *testing.T) {
		id, list := upload(t)
		check(t, mustComplete(t, e, "bucket", "key", id, list[1]), b)
		if got := tallyOf(t, e); got.Parts != 1 || got.Chunks != 1 || got.References != 1 {
			t.Errorf("the store holds %+v, want one part of a chunk", got)
		}
	})
	t.Run("the upload is gone", func(t *testing.T) {
		res, err := e.Stats(ctx, &engine.StatsRequest{})
		if err != nil || res.Uploads != 0 || res.Objects != 1 {
			t.Errorf("Stats: %+v, %v", res, err)
		}
	})
	t.Run("conditions that hold", func(t *testing.T) {
		head, err := e.HeadObject(ctx, &engine.HeadObjectRequest{Bucket: "bucket", Key: "key"})
		if err != nil {
			t.Fatal(err)
		}
		id, list := upload(t)
		got, err := e.CompleteMultipartUpload(ctx, &engine.CompleteMultipartUploadRequest{
			Bucket: "bucket", Key: "key", UploadID: id, Parts: list, Preconditions: engine.Preconditions{IfMatch: strings.ToLower(head.ETag)},
		})
		if err != nil {
			t.Fatal(err)
		}
		check(t, got, a, b, c)
		mustDelete(t, e, "bucket", "key")
		id, list = upload(t)
		got, err = e.CompleteMultipartUpload(ctx, &engine.CompleteMultipartUploadRequest{
			Bucket: "bucket", Key: "key", UploadID: id, Parts: list, Preconditions: engine.Preconditions{IfNoneMatch: "*", ForbidOverwrite: true},
		})
		if err != nil {
			t.Fatal(err)
		}
		check(t, got, a, b, c)
	})
	t.Run("small parts matter when listed only", func(t *testing.T) {
		id := mustInitiate(t, e, "bucket", "key", "")
		mustPart(t, e, "bucket", "key", id, 1, c)
		p2 := mustPart(t, e, "bucket", "key", id, 2, a)
		p3 := mustPart(t, e, "bucket", "key", id, 3, nil)
		check(t, mustComplete(t, e, "bucket", "key", id,
			engine.CompletedPart{PartNumber: 2, ETag: p2.ETag}, engine.CompletedPart{PartNumber: 3, ETag: p3.ETag}), a, nil)
	})
	t.Run("no parts make an empty object", func(t *testing.T) {
		id := mustInitiate(t, e, "bucket", "key", "")
		got, err := e.CompleteMultipartUpload(ctx, &engine.CompleteMultipartUploadRequest{Bucket: "bucket", Key: "key", UploadID: id})
		if err != nil {
			t.Fatal(err)
		}
		check(t, got)
	})
	t.Run("which part is at fault", func(t *testing.T) {
		id, list := upload(t)
		list[1].ETag = list[0].ETag
		_, err := e.CompleteMultipartUpload(ctx, &engine.CompleteMultipartUploadRequest{Bucket: "bucket", Key: "key", UploadID: id, Parts: list})
		if got := asError(t, err); got.PartNumber != 5 || got.UploadID != id {
			t.Errorf("InvalidPart of part %d, upload %s", got.PartNumber, got.UploadID)
		}
		mustPart(t, e, "bucket", "key", id, 5, c)
		_, err = e.CompleteMultipartUpload(ctx, &engine.CompleteMultipartUploadRequest{Bucket: "bucket", Key: "key", UploadID: id, All: true})
		if got := asError(t, err); got.Code != "EntityTooSmall" || got.PartNumber != 5 {
			t.Errorf("%s of part %d, want EntityTooSmall of 5", got.Code, got.PartNumber)
		}
	})
}

// TestUploadsAreIndependent has two uploads of one key open at a time, and of keys and buckets that
// resemble each other.
func TestUploadsAreIndependent(t *testing.T) {
	e := openTemp(t, nil)
	type where struct{ bucket, key string }
	places := []where{{"bucket", "key"}, {"bucket", "key"}, {"bucket", "key\x00"}, {"bucket", "ke"}, {"bucket-2", "key"}}
	ids := make([]string, len(places))
	for i, p := range places {
		ids[i] = mustInitiate(t, e, p.bucket, p.key, "")
		if slices.Contains(ids[:i], ids[i]) {
			t.Fatalf("id %s twice", ids[i])
		}
		mustPart(t, e, p.bucket, p.key, ids[i], 1, []byte{byte(i)})
	}
	for i, p := range places {
		got := partsOf(t, e, p.bucket, p.key, ids[i])
		if len(got) != 1 || got[0].ETag != md5ETag([]byte{byte(i)}) {
			t.Errorf("upload %d has parts %v", i, got)
		}
	}
	mustComplete(t, e, "bucket", "key", ids[1])
	mustComplete(t, e, "bucket", "key", ids[0]) // the last to finish is the object
	if got := readAll(t, e, "bucket", "key"); !bytes.Equal(got, []byte{0}) {
		t.Errorf("the object holds %v, want the upload that completed last", got)
	}
	if got := stats(t, e); got.Uploads != 3 || got.Objects != 1 {
		t.Errorf("the store holds %+v, want three uploads and an object", got)
	}
}

// TestOverwrite checks that what is replaced is given up, and nothing else.
func TestOverwrite(t *testing.T) {
	const chunk = 4 << 10
	e := openTemp(t, &engine.Options{ChunkSize: chunk})
	id := mustInitiate(t, e, "bucket", "key", "")
	shared, old, fresh := random(1, chunk), random(2, chunk), random(3, 2*chunk)
	mustPart(t, e, "bucket", "key", id, 1, slices.Concat(shared, old, old))
	if got := tallyOf(t, e); got.Chunks != 2 || got.References != 3 {
		t.Errorf("first version: %+v, want 2 chunks, one used twice", got)
	}
	mustPart(t, e, "bucket", "key", id, 1, slices.Concat(shared, fresh))
	if got := tallyOf(t, e); got.Chunks != 3 || got.References != 3 || got.Parts != 1 {
		t.Errorf("second version: %+v, want 3 chunks used once", got)
	}
	mustComplete(t, e, "bucket", "key", id)
	mustObject(t, e, "bucket", "key", "", slices.Concat(shared, old))
	got := tallyOf(t, e)
	if want := (tally{Objects: 1, Parts: 1, Chunks: 2, References: 2, LogicalBytes: 2 * chunk, StoredBytes: got.StoredBytes}); got != want {
		t.Errorf("after overwriting the object: %+v, want %+v", got, want)
	}
	mustDelete(t, e, "bucket", "key")
	mustDelete(t, e, "bucket", "key") // what is not there is deleted, too
	if got := tallyOf(t, e); got != (tally{}) {
		t.Errorf("after deleting the object: %+v", got)
	}
	s := stats(t, e)
	for _, v := range s.Volumes {
		if v.LiveBytes != 0 {
			t.Errorf("volume %d has %d live bytes in an empty store", v.ID, v.LiveBytes)
		}
	}
}

// TestManyChunks has parts whose chunks take several pages to list, and are given up in several
// steps: one that stays, one that is replaced, one that comes too late.
func TestManyChunks(t *testing.T) {
	const chunk, chunks = 4 << 10, 3000
	e := openTemp(t, &engine.Options{ChunkSize: chunk})
	kept, late := random(1, chunks*chunk), random(2, chunks*chunk+1)
	id := mustInitiate(t, e, "bucket", "key", "")
	mustPart(t, e, "bucket", "key", id, 1, late)
	mustPart(t, e, "bucket", "key", id, 1, kept)
	aborted := mustInitiate(t, e, "bucket", "key", "")
	body := stalling(t, late)
	finished := make(chan error, 1)
	go func() {
		_, err := e.UploadPart(context.Background(), &engine.UploadPartRequest{Bucket: "bucket", Key: "key", UploadID: aborted, PartNumber: 1, Body: body})
		finished <- err
	}()
	<-body.stalled
	_, err := e.AbortMultipartUpload(context.Background(), &engine.AbortMultipartUploadRequest{Bucket: "bucket", Key: "key", UploadID: aborted})
	if err != nil {
		t.Fatal(err)
	}
	body.goOn()
	if err := <-finished; !errors.Is(err, engine.ErrNoSuchUpload) {
		t.Errorf("the late part: %v", err)
	}
	got := tallyOf(t, e)
	if want := (tally{Uploads: 1, Parts: 1, Chunks: chunks, References: chunks, StoredBytes: got.StoredBytes}); got != want {
		t.Errorf("the store holds %+v, want %+v", got, want)
	}
	mustComplete(t, e, "bucket", "key", id)
	if !bytes.Equal(readAll(t, e, "bucket", "key"), kept) {
		t.Error("the object reads differently")
	}
	mustDelete(t, e, "bucket", "key")
	if got := tallyOf(t, e); got != (tally{}) {
		t.Errorf("after deleting: %+v", got)
	}
	checkLive(t, e)
}

// TestClosed calls everything after Close.
func TestClosed(t *testing.T) {
	e := openTemp(t, nil)
	ctx := context.Background()
	mustObject(t, e, "bucket", "key", "", random(1, 10))
	id := mustInitiate(t, e, "bucket", "key", "")
	obj := mustGet(t, e, "bucket", "key", "")
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"Close":         e.Close,
		"CreateBucket":  func() error { _, err := e.CreateBucket(ctx, &engine.CreateBucketRequest{Bucket: "new"}); return err },
		"DeleteBucket":  func() error { _, err := e.DeleteBucket(ctx, &engine.DeleteBucketRequest{Bucket: "bucket"}); return err },
		"ListBuckets":   func() error { _, err := e.ListBuckets(ctx, &engine.ListBucketsRequest{}); return err },
		"Stats":         func() error { _, err := e.Stats(ctx, &engine.StatsRequest{}); return err },
		"Reclaim":       func() error { _, err := e.Reclaim(ctx, &engine.ReclaimRequest{}); return err },
		"Object.Read":   func() error { _, err := io.ReadAll(obj); return err },
		"Object.ReadAt": func() error { _, err := obj.ReadAt(make([]byte, 1), 0); return err },
		"Object.WriteTo": func() error {
			_, err := obj.WriteTo(io.Discard)
			return err
		},
		"InitiateMultipartUpload": func() error {
			_, err := e.InitiateMultipartUpload(ctx, &engine.InitiateMultipartUploadRequest{Bucket: "bucket", Key: "key"})
			return err
		},
		"UploadPart": func() error {
			_, err := e.UploadPart(ctx, &engine.UploadPartRequest{Bucket: "bucket", Key: "key", UploadID: id, PartNumber: 1})
			return err
		},
		"CompleteMultipartUpload": func() error {
			_, err := e.CompleteMultipartUpload(ctx, &engine.CompleteMultipartUploadRequest{Bucket: "bucket", Key: "key", UploadID: id})
			return err
		},
		"AbortMultipartUpload": func() error {
			_, err := e.AbortMultipartUpload(ctx, &engine.AbortMultipartUploadRequest{Bucket: "bucket", Key: "key", UploadID: id})
			return err
		},
		"ListParts": func() error {
			_, err := e.ListParts(ctx, &engine.ListPartsRequest{Bucket: "bucket", Key: "key", UploadID: id})
			return err
		},
		"Parts": func() (last error) {
			for _, err := range e.Parts(ctx, &engine.ListPartsRequest{Bucket: "bucket", Key: "key", UploadID: id}) {
				last = err
			}
			return last
		},
		"ListMultipartUploads": func() error {
			_, err := e.ListMultipartUploads(ctx, &engine.ListMultipartUploadsRequest{Bucket: "bucket"})
			return err
		},
		"Uploads": func() (last error) {
			for _, err := range e.Uploads(ctx, &engine.ListMultipartUploadsRequest{Bucket: "bucket"}) {
				last = err
			}
			return last
		},
		"HeadBucket": func() error { _, err := e.HeadBucket(ctx, &engine.HeadBucketRequest{Bucket: "bucket"}); return err },
		"DeleteObjects": func() error {
			_, err := e.DeleteObjects(ctx, &engine.DeleteObjectsRequest{Bucket: "bucket", Keys: []string{"key"}})
			return err
		},
		"RotateKeys":  func() error { _, err := e.RotateKeys(ctx, &engine.RotateKeysRequest{}); return err },
		"ListObjects": func() error { _, err := e.ListObjects(ctx, &engine.ListObjectsRequest{Bucket: "bucket"}); return err },
		"Objects": func() (last error) {
			for _, err := range e.Objects(ctx, &engine.ListObjectsRequest{Bucket: "bucket"}) {
				last = err
			}
			return last
		},
		"HeadObject": func() error {
			_, err := e.HeadObject(ctx, &engine.HeadObjectRequest{Bucket: "bucket", Key: "key"})
			return err
		},
		"GetObject": func() error {
			_, err := e.GetObject(ctx, &engine.GetObjectRequest{Bucket: "bucket", Key: "key"})
			return err
		},
		"PutObject": func() error {
			_, err := e.PutObject(ctx, &engine.PutObjectRequest{Bucket: "bucket", Key: "key"})
			return err
		},
		"CopyObject": func() error {
			_, err := e.CopyObject(ctx, &engine.CopyObjectRequest{Bucket: "bucket", Key: "copy", SourceBucket: "bucket", SourceKey: "key"})
			return err
		},
		"UploadPartCopy": func() error {
			_, err := e.UploadPartCopy(ctx, &engine.UploadPartCopyRequest{
				Bucket: "bucket", Key: "key", UploadID: id, PartNumber: 1, SourceBucket: "bucket", SourceKey: "key",
			})
			return err
		},
		"DeleteObject": func() error {
			_, err := e.DeleteObject(ctx, &engine.DeleteObjectRequest{Bucket: "bucket", Key: "key"})
			return err
		},
	} {
		if err := call(); !errors.Is(err, engine.ErrClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
	if err := obj.Close(); err != nil {
		t.Errorf("closing an Object after the engine: %v", err)
	}
}
