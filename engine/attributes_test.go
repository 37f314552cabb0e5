package engine_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/engine"
)

// TestAttributes carries what Initiate is told to the object, over Complete and a restart, up to
// the limits of all of it.
func TestAttributes(t *testing.T) {
	dir, ring := t.TempDir(), keys(t)
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	o := &engine.Options{Keys: ring, Clock: func() time.Time { now = now.Add(time.Minute); return now }}
	e := open(t, dir, o)
	mustBucket(t, e, "bucket")
	current, err := ring.CurrentKeyID(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	line := strings.Repeat("x", 4<<10)
	tags := map[string]string{}
	for i := range 10 {
		tags[fmt.Sprintf("%d%s", i, strings.Repeat("k", 127))] = strings.Repeat("v", 256)
	}
	many := manyMetadata(8 << 10 / 3)
	want := map[string]engine.ObjectInfo{
		"all": {
			Attributes: engine.Attributes{ContentType: "text/plain", CacheControl: "no-cache", ContentDisposition: "inline", ContentEncoding: "gzip", Expires: "0", Metadata: map[string]string{"a": "1", "b-2": "ü"}, Tags: map[string]string{"k": "v", "empty": ""}, StorageClass: "IA"},
			Encryption: engine.Encryption{ServerSideEncryption: "KMS", ServerSideEncryptionKeyID: current},
		},
		"none": {Attributes: engine.Attributes{ContentType: "application/octet-stream", StorageClass: "Standard"}},
		"long": {
			Attributes: engine.Attributes{ContentType: line, CacheControl: line, ContentDisposition: line, ContentEncoding: line, Expires: line, Metadata: map[string]string{"a": strings.Repeat("v", 8<<10-1)}, Tags: tags, StorageClass: "DeepColdArchive"},
			Encryption: engine.Encryption{ServerSideEncryption: "AES256"},
		},
		"many": {Attributes: engine.Attributes{ContentType: "application/octet-stream", StorageClass: "Standard", Metadata: many}},
	}
	for key, w := range want {
		metadata, tags := maps.Clone(w.Metadata), maps.Clone(w.Tags)
		if key == "all" {
			delete(metadata, "a")
			metadata["A"] = "1" // names come out in lower case
		}
		up, err := e.InitiateMultipartUpload(context.Background(), &engine.InitiateMultipartUploadRequest{
			Bucket: "bucket", Key: key, Attributes: engine.Attributes{ContentType: strings.TrimPrefix(w.ContentType, "application/octet-stream"), CacheControl: w.CacheControl, ContentDisposition: w.ContentDisposition, ContentEncoding: w.ContentEncoding, Expires: w.Expires, Metadata: metadata, Tags: tags, StorageClass: w.StorageClass},
			EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: w.ServerSideEncryption, ServerSideEncryptionKeyID: w.ServerSideEncryptionKeyID},
		})
		if err != nil {
			t.Errorf("InitiateMultipartUpload of %s: %v", key, err)
			continue
		}
		clear(metadata) // the caller's again
		clear(tags)
		part := mustPart(t, e, "bucket", key, up.UploadID, 1, []byte("content"))
		done := mustComplete(t, e, "bucket", key, up.UploadID)
		for op, got := range map[string][2]string{
			"Initiate":   {string(up.ServerSideEncryption), up.ServerSideEncryptionKeyID},
			"UploadPart": {string(part.ServerSideEncryption), part.ServerSideEncryptionKeyID},
			"Complete":   {string(done.ServerSideEncryption), done.ServerSideEncryptionKeyID},
		} {
			if got != [2]string{string(w.ServerSideEncryption), w.ServerSideEncryptionKeyID} {
				t.Errorf("%s of %s echoes encryption %q", op, key, got)
			}
		}
		w.Bucket, w.Key, w.Size, w.ETag, w.CRC64, w.Type, w.Parts = "bucket", key, done.Size, done.ETag, done.CRC64, "Multipart", 1
		w.LastModified = done.LastModified // the time of Complete
		if !done.LastModified.After(part.LastModified) {
			t.Errorf("the object is of %s, its part of %s", done.LastModified, part.LastModified)
		}
		want[key] = w
	}
	e.Close()
	e = open(t, dir, o)
	for key, w := range want {
		got, err := e.HeadObject(context.Background(), &engine.HeadObjectRequest{Bucket: "bucket", Key: key})
		if err != nil {
			t.Errorf("HeadObject of %s: %v", key, err)
			continue
		}
		if !sameInfo(got, &w) {
			t.Errorf("%s is\n%+v, want\n%+v", key, got, w)
		}
		if obj := mustGet(t, e, "bucket", key, ""); !sameInfo(&obj.ObjectInfo, &w) {
			t.Errorf("GetObject of %s says\n%+v, want\n%+v", key, obj.ObjectInfo, w)
		}
	}
}

// sameInfo compares, and takes empty maps and nil ones for the same.
func sameInfo(a, b *engine.ObjectInfo) bool {
	text := func(o *engine.ObjectInfo) string {
		c := *o
		c.LastModified = time.Time{}
		if len(c.Metadata) == 0 {
			c.Metadata = nil
		}
		if len(c.Tags) == 0 {
			c.Tags = nil
		}
		return fmt.Sprintf("%#v", c)
	}
	return text(a) == text(b) && a.LastModified.Equal(b.LastModified)
}
