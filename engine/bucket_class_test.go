package engine_test

import (
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/engine"
)

// Objects have the storage class of their bucket unless something else is said of them, whatever
// makes them; a bucket of which none is said has the default of its rules.
func TestBucketStorageClass(t *testing.T) {
	ctx := t.Context()
	e := openTemp(t, nil)
	for _, b := range []struct {
		name          string
		rules         engine.Rules
		said, has     engine.StorageClass
		another, none engine.StorageClass
	}{
		{"plain", engine.OSS, "", engine.StorageStandard, engine.StorageIA, ""},
		{"archive", engine.OSS, engine.StorageArchive, engine.StorageArchive, engine.StorageStandard, ""},
		{"glacier", engine.S3, engine.StorageGlacier, engine.StorageGlacier, engine.StorageS3Standard, ""},
	} {
		_, err := e.CreateBucket(ctx, &engine.CreateBucketRequest{
			Bucket: b.name, Rules: b.rules, StorageClass: b.said,
		})
		if err != nil {
			t.Fatal(err)
		}
		head, err := e.HeadBucket(ctx, &engine.HeadBucketRequest{Bucket: b.name})
		if err != nil || head.StorageClass != b.has {
			t.Errorf("%s: HeadBucket says %q, %v, want %q", b.name, head.StorageClass, err, b.has)
		}
		for said, want := range map[engine.StorageClass]engine.StorageClass{b.none: b.has, b.another: b.another} {
			attributes := engine.Attributes{StorageClass: said}
			if _, err := e.PutObject(ctx, &engine.PutObjectRequest{
				Bucket: b.name, Key: "put", Body: strings.NewReader("x"), Attributes: attributes,
			}); err != nil {
				t.Fatal(err)
			}
			if _, err := e.CopyObject(ctx, &engine.CopyObjectRequest{
				Bucket: b.name, Key: "copy", SourceBucket: b.name, SourceKey: "put", Attributes: attributes,
			}); err != nil {
				t.Fatal(err)
			}
			up, err := e.InitiateMultipartUpload(ctx, &engine.InitiateMultipartUploadRequest{
				Bucket: b.name, Key: "upload", Attributes: attributes,
			})
			if err != nil {
				t.Fatal(err)
			}
			parts, err := e.ListParts(ctx, &engine.ListPartsRequest{
				Bucket: b.name, Key: "upload", UploadID: up.UploadID,
			})
			if err != nil || parts.StorageClass != want {
				t.Errorf("%s, %q said: the upload has %q, %v, want %q", b.name, said, parts.StorageClass, err, want)
			}
			for _, key := range []string{"put", "copy"} {
				got, err := e.HeadObject(ctx, &engine.HeadObjectRequest{Bucket: b.name, Key: key})
				if err != nil || got.StorageClass != want {
					t.Errorf("%s, %q said: %s has %q, %v, want %q", b.name, said, key, got.StorageClass, err, want)
				}
			}
		}
	}
}
