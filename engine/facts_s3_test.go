package engine_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gabion-storage/gabion/engine"
)

// s3Facts are what is otherwise by S3's rules.
func s3Facts() []fact {
	hour := time.Hour
	a, c := random(11, minPart), random(13, 3)
	content := []byte("content") // of bucket/there
	some := engine.Checksum{Algorithm: "CRC32"}
	return []fact{
		{"InitiateMultipartUpload", "S3: keys have up to 1024 bytes and may begin with /", s3(func(w *world) error {
			return initiate(Initiate{Bucket: "s3-bucket", Key: "/" + strings.Repeat("k", 1023)})(w)
		})},
		{"InitiateMultipartUpload", "S3: without Content-Type and storage class", s3(func(w *world) error {
			w.complete(w.upload(a))
			return errors.Join(same(w.head("new").ContentType, "binary/octet-stream"), same(w.head("new").StorageClass, "STANDARD"))
		})},
		{"InitiateMultipartUpload", "S3: the object gets the storage class", s3(func(w *world) (err error) {
			for _, class := range []string{"STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER", "DEEP_ARCHIVE", "GLACIER_IR"} {
				w.put(Put{Attributes: Attributes{StorageClass: engine.StorageClass(class)}})
				err = errors.Join(err, same(w.head("new").StorageClass, engine.StorageClass(class)))
			}
			return err
		})},
		{"InitiateMultipartUpload", "S3: names of metadata may have - _ and .", s3(func(w *world) error {
			w.put(Put{Attributes: Attributes{Metadata: map[string]string{"A-b_c.d": "v"}}})
			return same(w.head("new").Metadata, map[string]string{"a-b_c.d": "v"})
		})},
		{"InitiateMultipartUpload", "S3: tags are letters, digits and spaces of any script, and + - = . _ : / @", s3(func(w *world) error {
			tags := map[string]string{"Größe 世界9": "+-=._:/@"}
			w.put(Put{Attributes: Attributes{Tags: tags}})
			return same(w.head("new").Tags, tags)
		})},
		{"InitiateMultipartUpload", "S3: KMS is called aws:kms, also that of a copy", s3(func(w *world) error {
			id := w.uploadOf(Initiate{EncryptionRequest: Encrypted{ServerSideEncryption: "aws:kms"}}, a)
			got := []engine.EncryptionAlgorithm{w.complete(id).ServerSideEncryption, w.put(Put{EncryptionRequest: Encrypted{ServerSideEncryption: "KMS"}}).ServerSideEncryption}
			mustPut(w.t, w.e, Put{Key: "new", EncryptionRequest: Encrypted{ServerSideEncryption: "KMS"}})
			before := tallyOf(w.t, w.e)
			got = append(got, mustCopy(w.t, w.e, Copy{Bucket: "s3-bucket", Key: "copy", SourceKey: "new", EncryptionRequest: Encrypted{ServerSideEncryption: "aws:kms"}}).ServerSideEncryption, w.head("copy").ServerSideEncryption)
			return errors.Join(same(got, slices.Repeat([]engine.EncryptionAlgorithm{"aws:kms"}, 4)), same(tallyOf(w.t, w.e).Parts, before.Parts))
		})},
		{"DeleteBucket", "S3: open uploads are aborted", s3(func(w *world) error {
			for _, key := range []string{"there", "key"} {
				mustDelete(w.t, w.e, "s3-bucket", key)
			}
			for range 100 {
				w.upload()
			}
			id := w.upload(a)
			err := call((*engine.Engine).DeleteBucket, engine.DeleteBucketRequest{Bucket: "s3-bucket"})(w)
			err1 := call((*engine.Engine).CreateBucket, engine.CreateBucketRequest{Bucket: "s3-bucket", Rules: engine.S3})(w)
			got, err2 := w.uploads(Uploads{})
			return errors.Join(err, err1, err2, same(len(got.Uploads), 0), fails(w.abort(id), engine.ErrNoSuchUpload))
		})},
		{"ListObjects", "S3: pages have at most 1000 entries, whatever more is asked for", s3(func(w *world) error {
			objects, err1 := w.e.ListObjects(context.Background(), &engine.ListObjectsRequest{Bucket: "s3-bucket", MaxKeys: 1001})
			byDefault, err2 := w.e.ListObjects(context.Background(), &engine.ListObjectsRequest{Bucket: "s3-bucket"})
			uploads, err3 := w.uploads(Uploads{MaxUploads: 1001})
			parts, err4 := w.e.ListParts(context.Background(), &List{Bucket: "s3-bucket", Key: "key", UploadID: w.ids["s3 open"], MaxParts: 5000})
			err := errors.Join(err1, err2, err3, err4)
			if err != nil {
				return err
			}
			return same([]int{objects.MaxKeys, byDefault.MaxKeys, uploads.MaxUploads, parts.MaxParts}, []int{1000, 1000, 1000, 1000})
		})},
		{"ListObjects", "S3: a page of 0 entries is empty, and the last", s3(func(w *world) error {
			objects, err1 := w.e.ListObjects(context.Background(), &engine.ListObjectsRequest{Bucket: "s3-bucket", MaxKeys: engine.Zero})
			uploads, err2 := w.uploads(Uploads{MaxUploads: engine.Zero})
			parts, err3 := w.e.ListParts(context.Background(), &List{Bucket: "s3-bucket", Key: "key", UploadID: w.ids["s3 open"], MaxParts: engine.Zero})
			if err := errors.Join(err1, err2, err3); err != nil {
				return err
			}
			return errors.Join(
				same([]any{objects.MaxKeys, len(objects.Objects), objects.IsTruncated}, []any{0, 0, false}),
				same([]any{uploads.MaxUploads, len(uploads.Uploads), uploads.IsTruncated}, []any{0, 0, false}),
				same([]any{parts.MaxParts, len(parts.Parts), parts.IsTruncated}, []any{0, 0, false}),
			)
		})},
		{"ListMultipartUploads", "S3: those of one key by their time of initiation", s3(func(w *world) error {
			var want []string
			for range 20 {
				want = append(want, "new "+w.upload())
			}
			got, err := w.uploads(Uploads{Prefix: "new"})
			return errors.Join(err, same(namesOfUploads(got), want))
		})},
		{"UploadPart", "S3: the ETag is in lower case", s3(func(w *world) error {
			return same(w.part(w.upload(), 1, nil).ETag, "d41d8cd98f00b204e9800998ecf8427e")
		})},
		{"CompleteMultipartUpload", "S3: the ETag is made over the parts' MD5s as bytes; 5 MiB are enough", s3(func(w *world) error {
			large := random(14, minS3Part)
			return same(w.complete(w.upload(large, c)).ETag, s3ETag(large, c))
		})},
		{"CompleteMultipartUpload", "S3: of composite checksums, with those of the parts", s3(func(w *world) error {
			id := w.uploadOf(Initiate{Checksum: some}, c)
			_, err := w.tryComplete(id, Complete{Parts: []engine.CompletedPart{{PartNumber: 1, ETag: md5ETag(c), Checksum: inBase64(checksumOf("CRC32", c))}}})
			return err
		})},
		{"CompleteMultipartUpload", "S3: of a full checksum, without those of the parts", s3(func(w *world) error {
			id := w.uploadOf(Initiate{Checksum: engine.Checksum{Algorithm: "CRC32", Type: "FULL_OBJECT"}}, c)
			_, err := w.tryComplete(id, Complete{Parts: w.list(id, 1)})
			return err
		})},
		{"Upload", "S3: of composite checksums", s3(func(w *world) error {
			got, err := w.e.Upload(context.Background(), &Whole{Bucket: "s3-bucket", Key: "new", Body: bytes.NewReader(c), Checksum: some})
			return errors.Join(err, same(got.Checksum.Value, inBase64(checksumOf("CRC32", checksumOf("CRC32", c)))+"-1"))
		})},
		{"CopyObject", "S3: onto itself with another storage class, or REPLACE", s3(func(w *world) error {
			mustCopy(w.t, w.e, Copy{Bucket: "s3-bucket", Key: "there", SourceBucket: "s3-bucket", SourceKey: "there", Attributes: Attributes{StorageClass: "GLACIER"}})
			mustCopy(w.t, w.e, Copy{Bucket: "s3-bucket", Key: "there", SourceBucket: "s3-bucket", SourceKey: "there", Attributes: Attributes{StorageClass: "GLACIER"}, MetadataDirective: "REPLACE"})
			mustCopy(w.t, w.e, Copy{Bucket: "s3-bucket", Key: "there", SourceBucket: "s3-bucket", SourceKey: "there", Attributes: Attributes{StorageClass: "GLACIER"}, TaggingDirective: "REPLACE"})
			mustCopy(w.t, w.e, Copy{Bucket: "s3-bucket", Key: "there", SourceBucket: "s3-bucket", SourceKey: "there", Attributes: Attributes{StorageClass: "GLACIER"}, ChecksumAlgorithm: "SHA1"})
			return same(w.head("there").StorageClass, "GLACIER")
		})},
		{"CopyObject", "S3: onto itself the metadata is kept, too", s3(func(w *world) error {
			w.put(Put{Bucket: "s3-bucket", Attributes: Attributes{ContentType: "text/plain", Metadata: map[string]string{"a": "1"}}})
			mustCopy(w.t, w.e, Copy{Bucket: "s3-bucket", Key: "new", SourceBucket: "s3-bucket", SourceKey: "new", Attributes: Attributes{StorageClass: "GLACIER", Metadata: map[string]string{"b": "2"}}})
			return errors.Join(same(w.head("new").ContentType, "text/plain"), same(w.head("new").Metadata, map[string]string{"a": "1"}))
		})},
		{"CopyObject", "S3: onto itself with the encryption that it has", s3(func(w *world) error {
			w.put(Put{Bucket: "s3-bucket", Body: bytes.NewReader(a), EncryptionRequest: Encrypted{ServerSideEncryption: "AES256"}})
			w.now = w.now.Add(hour)
			got := mustCopy(w.t, w.e, Copy{Bucket: "s3-bucket", Key: "new", SourceBucket: "s3-bucket", SourceKey: "new", EncryptionRequest: Encrypted{ServerSideEncryption: "AES256"}})
			return errors.Join(same(got.LastModified, w.now), same(string(got.ServerSideEncryption), "AES256"))
		})},
		{"CompleteMultipartUpload", "S3: again with the same list", s3(func(w *world) error {
			id := w.upload(c)
			list := w.list(id, 1)
			first, err1 := w.tryComplete(id, Complete{Parts: list})
			second, err2 := w.tryComplete(id, Complete{Parts: list})
			return errors.Join(err1, err2, same(second, first))
		})},
		{"CompleteMultipartUpload", "S3: again, though the object was deleted", s3(func(w *world) error {
			id := w.upload(c)
			list := w.list(id, 1)
			w.complete(id)
			mustDelete(w.t, w.e, "s3-bucket", "new")
			_, err := w.tryComplete(id, Complete{Parts: list})
			return errors.Join(err, fails(getObject(Get{Bucket: "s3-bucket", Key: "new"})(w), engine.ErrNoSuchKey))
		})},
		{"GetObject", "S3: a range that ends beyond the object is cut", reads(Get{Bucket: "s3-bucket", Range: "bytes=3-7"}, "tent", true)},
		{"GetObject", "S3: the last bytes of an empty object are none, and no range", func(w *world) error {
			mustPut(w.t, w.e, Put{Bucket: "s3-bucket", Key: "empty"})
			return reads(Get{Bucket: "s3-bucket", Key: "empty", Range: "bytes=-5"}, "", false)(w)
		}},
		{"GetObject", "S3: the only part of an empty object is no range", func(w *world) error {
			mustPut(w.t, w.e, Put{Bucket: "s3-bucket", Key: "empty"})
			return reads(Get{Bucket: "s3-bucket", Key: "empty", PartNumber: 1}, "", false)(w)
		}},
		{"InitiateMultipartUpload", "S3: the ids ascend though the clock was ahead, and the dates are the clock's", s3(func(w *world) error {
			now := w.now
			w.now = now.AddDate(10, 0, 0)
			first := w.upload()
			w.now = now
			second := w.upload()
			got, err := w.uploads(Uploads{Prefix: "new"})
			return errors.Join(err, same(first < second, true), same(got.Uploads[0].Initiated.Equal(now.AddDate(10, 0, 0)), true), same(got.Uploads[1].Initiated.Equal(now), true))
		})},
		{"GetObject", "S3: a malformed range is ignored", reads(Get{Bucket: "s3-bucket", Range: "byte=0-1"}, "content", false)},
		{"CopyObject", "the ETag follows the rules of the target", func(w *world) error {
			toS3 := mustCopy(w.t, w.e, Copy{Bucket: "s3-bucket", Key: "copy", SourceKey: "there"})
			back := mustCopy(w.t, w.e, Copy{Key: "copy", SourceBucket: "s3-bucket", SourceKey: "copy"})
			return errors.Join(same(toS3.ETag, s3ETag(content)), same(back.ETag, ossETag(content)))
		}},
	}
}
