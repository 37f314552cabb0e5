package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
)

// A fact is something that succeeds: do returns an error if what comes out is not as the fact says.
type fact struct {
	op, when string
	do       func(*world) error
}

// facts are what is done, each in a world of its own.
func facts() []fact {
	hour := time.Hour
	a, b, c := random(11, minPart), random(12, minPart), random(13, 3)
	content := []byte("content") // of bucket/there
	some := engine.Checksum{Algorithm: "CRC32"}
	return []fact{
		// Buckets and names.
		{"CreateBucket", "names are 3 to 63 of a-z, 0-9 and -", func(w *world) (err error) {
			for _, name := range []string{"abc", "1-2", "a--b", strings.Repeat("b", 63)} {
				err = errors.Join(err, call((*engine.Engine).CreateBucket, engine.CreateBucketRequest{Bucket: name})(w))
			}
			return err
		}},
		{"CreateBucket", "IfAbsent, and the bucket is there as it is wanted", func(w *world) error {
			first, err1 := w.e.CreateBucket(context.Background(), &engine.CreateBucketRequest{Bucket: "new", IfAbsent: true, Annotations: map[string]string{"a": "1"}})
			second, err2 := w.e.CreateBucket(context.Background(), &engine.CreateBucketRequest{Bucket: "new", IfAbsent: true, Annotations: map[string]string{"a": "2"}})
			got, err3 := w.e.HeadBucket(context.Background(), &engine.HeadBucketRequest{Bucket: "new"})
			if err := errors.Join(err1, err2, err3); err != nil {
				return err
			}
			return errors.Join(same([]bool{first.Existed, second.Existed}, []bool{false, true}), same(got.Annotations, map[string]string{"a": "1"}))
		}},
		{"ListBuckets", "by prefix, marker and pages", func(w *world) error {
			list := func(req engine.ListBucketsRequest) (names []string, more bool, next string) {
				res, err := w.e.ListBuckets(context.Background(), &req)
				if err != nil {
					w.t.Fatal(err)
				}
				for _, b := range res.Buckets {
					names = append(names, b.Name)
				}
				return names, res.IsTruncated, res.NextMarker
			}
			mustBucket(w.t, w.e, "bucket-2")
			want := func(req engine.ListBucketsRequest, more bool, next string, want ...string) error {
				names, gotMore, gotNext := list(req)
				return errors.Join(same(names, want), same(gotMore, more), same(gotNext, next))
			}
			_, negative := w.e.ListBuckets(context.Background(), &engine.ListBucketsRequest{MaxBuckets: -1})
			return errors.Join(
				want(engine.ListBucketsRequest{}, false, "", "bucket", "bucket-2", "other-bucket", "s3-bucket"),
				want(engine.ListBucketsRequest{Prefix: "bucket"}, false, "", "bucket", "bucket-2"),
				want(engine.ListBucketsRequest{Marker: "bucket"}, false, "", "bucket-2", "other-bucket", "s3-bucket"),
				want(engine.ListBucketsRequest{Prefix: "bucket", Marker: "bucket"}, false, "", "bucket-2"),
				want(engine.ListBucketsRequest{Prefix: "b", Marker: "a"}, false, "", "bucket", "bucket-2"),
				want(engine.ListBucketsRequest{MaxBuckets: 2}, true, "bucket-2", "bucket", "bucket-2"),
				want(engine.ListBucketsRequest{Marker: "bucket-2", MaxBuckets: 2}, false, "", "other-bucket", "s3-bucket"),
				want(engine.ListBucketsRequest{MaxBuckets: engine.Zero}, false, ""),
				fails(negative, engine.ErrInvalidArgument),
			)
		}},
		{"BucketStats", "objects, their bytes, and open uploads", func(w *world) error {
			mustBucket(w.t, w.e, "bucket-2")
			w.bucket = "bucket-2"
			w.put(Put{Key: "one", Body: bytes.NewReader(a)})
			w.put(Put{Key: "two", Body: bytes.NewReader(c)})
			w.upload(b)
			got, err := w.e.BucketStats(context.Background(), &engine.BucketStatsRequest{Bucket: "bucket-2"})
			return errors.Join(err, same(got, &engine.BucketStatsResult{Objects: 2, LogicalBytes: int64(len(a) + len(c)), Uploads: 1}))
		}},
		{"HeadBucket", "a bucket keeps the rules that it was created with", func(w *world) error {
			oss, err1 := w.e.HeadBucket(context.Background(), &engine.HeadBucketRequest{Bucket: "bucket"})
			s3, err2 := w.e.HeadBucket(context.Background(), &engine.HeadBucketRequest{Bucket: "s3-bucket"})
			return errors.Join(err1, err2, same(oss.Rules, engine.OSS), same(s3.Rules, engine.S3), same(s3.Created, w.now))
		}},
		{"HeadBucket", "a bucket keeps the dedup scope that it was created with, the store by default", func(w *world) error {
			err := call((*engine.Engine).CreateBucket, engine.CreateBucketRequest{Bucket: "narrow", DedupScope: engine.DedupBucket})(w)
			narrow, err1 := w.e.HeadBucket(context.Background(), &engine.HeadBucketRequest{Bucket: "narrow"})
			other, err2 := w.e.HeadBucket(context.Background(), &engine.HeadBucketRequest{Bucket: "bucket"})
			return errors.Join(err, err1, err2, same(narrow.DedupScope, engine.DedupBucket), same(other.DedupScope, engine.DedupStore))
		}},
		{"DeleteBucket", "uploads that are in the way are named", func(w *world) error {
			err := call((*engine.Engine).DeleteBucket, engine.DeleteBucketRequest{Bucket: "other-bucket"})(w)
			return same(strings.HasPrefix(asError(w.t, err).Message, "The bucket has Multipart Uploads."), true)
		}},
		{"DeleteBucket", "objects that are in the way, in the words that clients compare", func(w *world) error {
			err := call((*engine.Engine).DeleteBucket, engine.DeleteBucketRequest{Bucket: "bucket"})(w)
			return same(asError(w.t, err).Message, "The bucket has objects. Please delete them first.")
		}},
		{"DeleteBucket", "when its last upload was aborted", func(w *world) error {
			return errors.Join(abortIn("other-bucket", "of another bucket")(w), call((*engine.Engine).DeleteBucket, engine.DeleteBucketRequest{Bucket: "other-bucket"})(w))
		}},
		{"InitiateMultipartUpload", "keys are 1 to 1023 bytes of UTF-8", func(w *world) (err error) {
			for _, key := range []string{"k", " ", "a//b/", "../é", strings.Repeat("k", 1023)} {
				err = errors.Join(err, initiate(Initiate{Key: key})(w))
			}
			return err
		}},

		// What Initiate is told about the object, and Complete gives it.
		{"InitiateMultipartUpload", "the upload id is 32 upper-case hex digits, like a UUID of version 4", func(w *world) error {
			return same(regexp.MustCompile("^[0-9A-F]{12}4[0-9A-F]{19}$").MatchString(w.upload()), true)
		}},
		{"InitiateMultipartUpload", "the object gets the headers", func(w *world) error {
			w.complete(w.uploadOf(Initiate{Attributes: Attributes{ContentType: "text/plain", CacheControl: "no-cache", ContentDisposition: "inline", ContentEncoding: "gzip", ContentLanguage: "de, en", Expires: "never", WebsiteRedirect: "https://else/where"}}))
			got := w.head("new")
			return same([]string{got.ContentType, got.CacheControl, got.ContentDisposition, got.ContentEncoding, got.ContentLanguage, got.Expires, got.WebsiteRedirect}, []string{"text/plain", "no-cache", "inline", "gzip", "de, en", "never", "https://else/where"})
		}},
		{"InitiateMultipartUpload", "the object gets the metadata, names in lower case", func(w *world) error {
			w.complete(w.uploadOf(Initiate{Attributes: Attributes{Metadata: map[string]string{"Camera-1": "Leica"}}}))
			return same(w.head("new").Metadata, map[string]string{"camera-1": "Leica"})
		}},
		{"InitiateMultipartUpload", "metadata of 8 KiB with its names", func(w *world) error {
			return initiate(Initiate{Attributes: Attributes{Metadata: map[string]string{"a": strings.Repeat("v", 8<<10-1)}}})(w)
		}},
		{"InitiateMultipartUpload", "the object gets the tags, at most 10 of 128 and 256 bytes", func(w *world) error {
			tags := manyTags(8)
			tags[strings.Repeat("k", 128)], tags["empty"] = strings.Repeat("v", 256), ""
			w.complete(w.uploadOf(Initiate{Attributes: Attributes{Tags: tags}}))
			return same(w.head("new").Tags, tags)
		}},
		{"InitiateMultipartUpload", "tags are letters, digits, space and + - = . _ : /", func(w *world) error {
			tags := map[string]string{"aZ 09+-=._:/": " :/+"}
			w.complete(w.uploadOf(Initiate{Attributes: Attributes{Tags: tags}}))
			return same(w.head("new").Tags, tags)
		}},
		{"InitiateMultipartUpload", "the object gets the storage class", func(w *world) (err error) {
			for _, class := range []string{"Standard", "IA", "Archive", "ColdArchive", "DeepColdArchive"} {
				w.complete(w.uploadOf(Initiate{Attributes: Attributes{StorageClass: engine.StorageClass(class)}}))
				err = errors.Join(err, same(w.head("new").StorageClass, engine.StorageClass(class)))
			}
			return err
		}},
		{"InitiateMultipartUpload", "without Content-Type and storage class", func(w *world) error {
			w.complete(w.upload())
			return errors.Join(same(w.head("new").ContentType, "application/octet-stream"), same(w.head("new").StorageClass, "Standard"))
		}},
		{"InitiateMultipartUpload", "an object of that name is not touched", func(w *world) error {
			return errors.Join(initiate(Initiate{Key: "there"})(w), reads(Get{}, "content", false)(w))
		}},
		{"InitiateMultipartUpload", "uploads of one key do not know each other", func(w *world) error {
			one, two := w.upload(a), w.upload(b, c)
			return errors.Join(same(one == two, false), same(len(w.parts(one)), 1), same(len(w.parts(two)), 2), w.abort(one), same(len(w.parts(two)), 2))
		}},
		{"InitiateMultipartUpload", "ForbidOverwrite, and there is no object", initiate(Initiate{ForbidOverwrite: true})},

		// Encryption. Digests, sizes and ranges are of the plaintext.
		{"InitiateMultipartUpload", "every answer says how it is encrypted", func(w *world) error {
			want := engine.Encryption{ServerSideEncryption: "KMS", ServerSideEncryptionKeyID: w.keyID}
			up, err := w.e.InitiateMultipartUpload(context.Background(), &Initiate{Bucket: "bucket", Key: "new", EncryptionRequest: Encrypted{ServerSideEncryption: "KMS", ServerSideEncryptionKeyID: w.keyID}})
			if err != nil {
				return err
			}
			part, copied := w.part(up.UploadID, 1, a), w.copied(up.UploadID, PartCopy{PartNumber: 2})
			list, err1 := w.uploads(Uploads{Prefix: "new"})
			done := w.complete(up.UploadID)
			obj, _, err2 := w.get(Get{Key: "new"})
			return errors.Join(err1, err2, same(
				[]engine.Encryption{up.Encryption, part.Encryption, copied.Encryption, list.Uploads[0].Encryption, done.Encryption, w.head("new").Encryption, obj.Encryption},
				slices.Repeat([]engine.Encryption{want}, 7),
			))
		}},
		{"InitiateMultipartUpload", "KMS without a key id: every answer names the provider's current key", func(w *world) error {
			want := engine.Encryption{ServerSideEncryption: "KMS", ServerSideEncryptionKeyID: w.keyID}
			kms := Encrypted{ServerSideEncryption: "KMS"}
			up, err := w.e.InitiateMultipartUpload(context.Background(), &Initiate{Bucket: "bucket", Key: "new", EncryptionRequest: kms})
			if err != nil {
				return err
			}
			part := w.part(up.UploadID, 1, a)
			list, err1 := w.uploads(Uploads{Prefix: "new"})
			done := w.complete(up.UploadID)
			put, copied := w.put(Put{Key: "newer", EncryptionRequest: kms}), mustCopy(w.t, w.e, Copy{Key: "newest", SourceKey: "new", EncryptionRequest: kms})
			return errors.Join(err1, same(
				[]engine.Encryption{up.Encryption, part.Encryption, list.Uploads[0].Encryption, done.Encryption, w.head("new").Encryption, put.Encryption, copied.Encryption},
				slices.Repeat([]engine.Encryption{want}, 7),
			))
		}},
		{"HeadObject", "KMS by S3's name is KMS", func(w *world) error {
			w.put(Put{EncryptionRequest: Encrypted{ServerSideEncryption: "aws:kms"}})
			return same(w.head("new").ServerSideEncryption, "KMS")
		}},
		{"UploadPart", "encryption does not change ETag, CRC-64 and size", func(w *world) (err error) {
			for _, sse := range []string{"AES256", "KMS"} {
				got := w.part(w.uploadOf(Initiate{EncryptionRequest: Encrypted{ServerSideEncryption: engine.EncryptionAlgorithm(sse)}}), 1, a)
				err = errors.Join(err, same(got.ETag, md5ETag(a)), same(got.CRC64, crc64Of(a)), same(got.Size, minPart))
			}
			return err
		}},
		{"GetObject", "a range of an encrypted object", func(w *world) error {
			done := w.complete(w.uploadOf(Initiate{EncryptionRequest: Encrypted{ServerSideEncryption: "AES256"}}, a, b))
			return errors.Join(same(done.ETag, ossETag(a, b)), reads(Get{Key: "new", Range: "bytes=102399-102401"}, string(slices.Concat(a, b)[102399:102402]), true)(w))
		}},
		{"RotateKeys", "data keys are wrapped anew, and the objects are the same", func(w *world) error {
			w.complete(w.uploadOf(Initiate{EncryptionRequest: Encrypted{ServerSideEncryption: "AES256"}}, a))
			_, err1 := w.ring.Rotate()
			res, err2 := w.e.RotateKeys(context.Background(), &engine.RotateKeysRequest{})
			return errors.Join(err1, err2, same(res.Rewrapped, 1), same(w.read("new"), a))
		}},

		// Sequential uploads.
		{"CompleteMultipartUpload", "the object of a sequential upload has the MD5 of the whole", func(w *world) error {
			w.complete(w.uploadOf(Initiate{Sequential: true}, a, b, c))
			return errors.Join(same(w.head("new").ContentMD5, base64MD5(slices.Concat(a, b, c))), same(w.head("new").Type, "Multipart"))
		}},
		{"UploadPart", "a sequential upload begins with number 1", func(w *world) error {
			w.ids["new"] = w.uploadOf(Initiate{Sequential: true})
			err := part(Part{Key: "new", UploadID: "new", PartNumber: 2})(w)
			return errors.Join(fails(err, engine.ErrPartNotSequential), same(w.part(w.ids["new"], 1, a).ETag, md5ETag(a)))
		}},

		// Parts.
		{"UploadPart", "the ETag is the MD5 in upper-case hex", func(w *world) error {
			return same(w.part(w.upload(), 1, []byte("123456789")).ETag, "25F9E794323B453885F5181F1B624D0B")
		}},
		{"UploadPart", "Content-MD5 is the MD5 in base64", func(w *world) error {
			return same(w.part(w.upload(), 1, nil).ContentMD5, "1B2M2Y8AsgTpgAmY7PhCfg==")
		}},
		{"UploadPart", "CRC-64 is that of ECMA-182, reflected", func(w *world) error {
			return same(w.part(w.upload(), 1, []byte("123456789")).CRC64, 11051210869376104954)
		}},
		{"UploadPart", "CRC-64 of nothing is 0", func(w *world) error {
			return same(w.part(w.upload(), 1, nil).CRC64, 0)
		}},
		{"UploadPart", "numbers are 1 to 10000", func(w *world) error {
			id := w.upload()
			w.part(id, 10000, nil)
			w.part(id, 1, nil)
			return same(len(w.parts(id)), 2)
		}},
		{"UploadPart", "any size is taken at first, also none", func(w *world) error {
			id := w.upload(sizedParts(0, 1, 13, 128, 64<<10)...)
			return same(len(w.parts(id)), 5)
		}},
		{"UploadPart", "of right Content-MD5, CRC-64 and size", func(w *world) error {
			crc := crc64Of(content)
			return part(Part{UploadID: "open", PartNumber: 1, Body: bytes.NewReader(content), Size: 7, ContentMD5: base64MD5(content), CRC64: &crc})(w)
		}},
		{"UploadPart", "a part of the same number is replaced", func(w *world) error {
			id := w.upload(a)
			w.part(id, 1, b)
			w.complete(id)
			return same(w.read("new"), b)
		}},
		{"UploadPart", "of two of one number the one that finishes last wins", func(w *world) error {
			id := w.upload()
			err := w.during(id, 1, a, func() { w.part(id, 1, b) })
			w.complete(id)
			return errors.Join(err, same(w.read("new"), a))
		}},
		{"UploadPart", "parts are not an object until Complete", func(w *world) error {
			w.upload(a)
			list, err := w.e.ListObjects(context.Background(), &engine.ListObjectsRequest{Bucket: "bucket", Prefix: "new"})
			return errors.Join(err, same(len(list.Objects), 0), fails(getObject(Get{Key: "new"})(w), engine.ErrNoSuchKey), fails(headObject(Head{Key: "new"})(w), engine.ErrNoSuchKey))
		}},
		{"UploadPart", "too late for Complete", func(w *world) error {
			id := w.upload(a)
			err := w.during(id, 2, b, func() { w.complete(id) })
			return errors.Join(fails(err, engine.ErrNoSuchUpload), same(w.read("new"), a))
		}},
		{"UploadPart", "too late for Abort", func(w *world) error {
			id, before := w.upload(), tallyOf(w.t, w.e)
			err := w.during(id, 1, a, func() {
				if err := w.abort(id); err != nil {
					w.t.Error(err)
				}
			})
			before.Uploads--
			return errors.Join(fails(err, engine.ErrNoSuchUpload), same(tallyOf(w.t, w.e), before))
		}},

		// Copied parts. bucket/put is by PutObject, bucket/there by an upload.
		{"UploadPartCopy", "the ETag of a copied PutObject is the source's", func(w *world) error {
			got := w.copied(w.upload(), PartCopy{SourceKey: "put"})
			return errors.Join(same(got.ETag, w.head("put").ETag), same(got.CRC64, w.head("put").CRC64))
		}},
		{"UploadPartCopy", "the ETag of a copied upload is the MD5 of its bytes", func(w *world) error {
			return same(w.copied(w.upload(), PartCopy{}).ETag, md5ETag(content))
		}},
		{"UploadPartCopy", "a range of the source", func(w *world) error {
			got := w.copied(w.upload(), PartCopy{SourceRange: "bytes=1-3"})
			return errors.Join(same(got.ETag, md5ETag([]byte("ont"))), same(got.SourceRange, "bytes 1-3/7"), same(got.SourceSize, 7))
		}},
		{"UploadPartCopy", "a range without an end", func(w *world) error {
			got := w.copied(w.upload(), PartCopy{SourceRange: "bytes=3-"})
			return errors.Join(same(got.ETag, md5ETag([]byte("tent"))), same(got.SourceRange, "bytes 3-6/7"))
		}},
		{"UploadPartCopy", "a range that is malformed or beyond the source is ignored", func(w *world) (err error) {
			for _, text := range []string{"bytes=0-7", "bytes=7-", "bytes=3-2", "byte=0-1", "0-1", "bytes=a-b"} {
				got := w.copied(w.upload(), PartCopy{SourceRange: text})
				err = errors.Join(err, same(got.ETag, md5ETag(content)), same(got.SourceRange, ""))
			}
			return err
		}},
		{"UploadPartCopy", "conditions that hold", func(w *world) error {
			w.copied(w.upload(), PartCopy{Conditions: When{IfMatch: w.object.ETag, IfModifiedSince: w.now.Add(-hour)}})
			w.copied(w.upload(), PartCopy{Conditions: When{IfUnmodifiedSince: w.now, IfNoneMatch: md5ETag(nil)}})
			return nil
		}},
		{"UploadPartCopy", "a small part is refused at Complete only", func(w *world) error {
			id := w.upload()
			w.copied(id, PartCopy{PartNumber: 1})
			w.copied(id, PartCopy{PartNumber: 2})
			return fails(completing(w, id), engine.ErrEntityTooSmall)
		}},
		{"UploadPartCopy", "more than 5 GiB take ranges", func(w *world) error {
			key, id := w.largerThanAPart(), w.upload()
			err := partCopy(PartCopy{SourceBucket: "bucket", SourceKey: key})(w)
			got := w.copied(id, PartCopy{SourceKey: key, SourceRange: "bytes=67108864-134217727"})
			return errors.Join(fails(err, engine.ErrEntityTooLarge), same(got.Size, 64<<20))
		}},

		// Complete.
		{"CompleteMultipartUpload", "the ETag is made over the parts' ETags as text", func(w *world) error {
			return same(w.complete(w.upload(a, b, c)).ETag, ossETag(a, b, c))
		}},
		{"CompleteMultipartUpload", "the ETag of one part says -1, too", func(w *world) error {
			return same(w.complete(w.upload(nil)).ETag, "80404D0C6D24E87F650FF7D1985CD762-1") // printf D41D8CD98F00B204E9800998ECF8427E | md5sum
		}},
		{"CompleteMultipartUpload", "CRC-64 is that of the whole", func(w *world) error {
			return same(w.complete(w.upload(a, b, c)).CRC64, crc64Of(slices.Concat(a, b, c)))
		}},
		{"CompleteMultipartUpload", "100 KiB are enough", func(w *world) error {
			return same(w.complete(w.upload(sizedParts(102400, 102400, 1)...)).Size, 204801)
		}},
		{"CompleteMultipartUpload", "numbers may have gaps", func(w *world) error {
			id := w.upload(a)
			w.part(id, 10000, c)
			w.part(id, 5, b)
			return errors.Join(same(w.complete(id, 1, 5, 10000).ETag, ossETag(a, b, c)), same(w.read("new"), slices.Concat(a, b, c)))
		}},
		{"CompleteMultipartUpload", "parts that are not listed are given up", func(w *world) error {
			before, id := tallyOf(w.t, w.e), w.upload(a, b, c)
			done := w.complete(id, 1, 3)
			return errors.Join(same(done.ETag, ossETag(a, c)), same(tallyOf(w.t, w.e).Parts, before.Parts+2), same(tallyOf(w.t, w.e).Uploads, before.Uploads))
		}},
		{"CompleteMultipartUpload", "small parts do no harm when they are not listed", func(w *world) error {
			return same(w.complete(w.upload(c, a, c), 2, 3).ETag, ossETag(a, c))
		}},
		{"CompleteMultipartUpload", "ETags are forgiven quotes and case", func(w *world) error {
			id := w.upload(a, b)
			list := []engine.CompletedPart{{PartNumber: 1, ETag: `"` + md5ETag(a) + `"`}, {PartNumber: 2, ETag: strings.ToLower(md5ETag(b))}}
			got, err := w.tryComplete(id, Complete{Parts: list})
			return errors.Join(err, same(got.ETag, ossETag(a, b)))
		}},
		{"CompleteMultipartUpload", "All is the list of all parts", func(w *world) error {
			all, list := w.complete(w.upload(a, b, c)), w.complete(w.upload(a, b, c), 1, 2, 3)
			return same(all, list)
		}},
		{"CompleteMultipartUpload", "an empty list without parts makes an empty object", func(w *world) error {
			got, err := w.tryComplete(w.upload(), Complete{Parts: []engine.CompletedPart{}})
			return errors.Join(err, same(got.ETag, "D41D8CD98F00B204E9800998ECF8427E-0"), same(got.CRC64, 0), same(len(w.read("new")), 0))
		}},
		{"CompleteMultipartUpload", "All without parts makes an empty object", func(w *world) error {
			return same(w.complete(w.upload()).ETag, "D41D8CD98F00B204E9800998ECF8427E-0")
		}},
		{"CompleteMultipartUpload", "the object is a Multipart one, modified now, without MD5", func(w *world) error {
			id := w.upload(a)
			w.now = w.now.Add(hour)
			w.complete(id)
			got := w.head("new")
			return errors.Join(same(got.Type, "Multipart"), same(got.LastModified, w.now), same(got.ContentMD5, ""), same(got.Parts, 1))
		}},
		{"CompleteMultipartUpload", "an object of that name is replaced", func(w *world) error {
			w.complete(w.upload(a))
			w.complete(w.upload(b))
			return same(w.read("new"), b)
		}},
		{"CompleteMultipartUpload", "of two uploads of one key the one that completes last wins", func(w *world) error {
			one, two := w.upload(a), w.upload(b)
			w.complete(two)
			w.complete(one)
			return same(w.read("new"), a)
		}},
		{"CompleteMultipartUpload", "of two uploads of one key, with ForbidOverwrite, one wins", func(w *world) error {
			one, two := w.upload(a), w.upload(b)
			_, err1 := w.tryComplete(one, Complete{Preconditions: If{ForbidOverwrite: true}})
			_, err2 := w.tryComplete(two, Complete{Preconditions: If{ForbidOverwrite: true}})
			return errors.Join(err1, fails(err2, engine.ErrFileAlreadyExists), same(len(w.parts(two)), 1))
		}},
		{"CompleteMultipartUpload", "another upload of that key stays open", func(w *world) error {
			one, two := w.upload(a), w.upload(b)
			w.complete(one)
			return same(len(w.parts(two)), 1)
		}},
		{"CompleteMultipartUpload", "after it failed twice", func(w *world) error {
			id := w.upload(a, b)
			_, err1 := w.tryComplete(id, Complete{Parts: []engine.CompletedPart{{PartNumber: 1, ETag: md5ETag(b)}}})
			_, err2 := w.tryComplete(id, Complete{Parts: []engine.CompletedPart{{PartNumber: 3, ETag: md5ETag(b)}}})
			return errors.Join(fails(err1, engine.ErrInvalidPart), fails(err2, engine.ErrInvalidPart), same(w.complete(id).ETag, ossETag(a, b)))
		}},
		{"CompleteMultipartUpload", "the part at fault is named", func(w *world) error {
			id := w.upload(a, c, b)
			_, err1 := w.tryComplete(id, Complete{Parts: []engine.CompletedPart{{PartNumber: 2, ETag: md5ETag(b)}}})
			small := completing(w, id)
			return errors.Join(fails(small, engine.ErrEntityTooSmall), same(asError(w.t, err1).PartNumber, 2), same(asError(w.t, small).PartNumber, 2), same(asError(w.t, err1).UploadID, id))
		}},
		{"CompleteMultipartUpload", "what is too small is told in the words that clients compare", func(w *world) error {
			err := completing(w, w.upload(c, a))
			return same(strings.HasPrefix(asError(w.t, err).Message, "Your proposed upload smaller than"), true)
		}},
		{"CompleteMultipartUpload", "conditions on the object that hold", func(w *world) error {
			first, err1 := w.tryComplete(w.upload(a), Complete{Preconditions: If{IfNoneMatch: "*", ForbidOverwrite: true}})
			_, err2 := w.tryComplete(w.upload(b), Complete{Preconditions: If{IfMatch: first.ETag}})
			return errors.Join(err1, err2)
		}},
		{"CompleteMultipartUpload", "of two at once one wins", race(completing, completing)},
		{"CompleteMultipartUpload", "of Complete and Abort at once one wins", race(completing, (*world).abort)},

		// Abort.
		{"AbortMultipartUpload", "the parts are deleted", func(w *world) error {
			before := tallyOf(w.t, w.e)
			return errors.Join(w.abort(w.upload(a, b)), same(tallyOf(w.t, w.e), before))
		}},
		{"AbortMultipartUpload", "an object of that name is not touched", func(w *world) error {
			w.complete(w.upload(a))
			return errors.Join(w.abort(w.upload(b)), same(w.read("new"), a))
		}},
		{"Upload", "the object is as if its parts had been uploaded one by one", func(w *world) error {
			whole := slices.Concat(a, b, c)
			got, err := w.e.Upload(context.Background(), &Whole{Bucket: "bucket", Key: "new", Body: bytes.NewReader(whole), Size: int64(len(whole)), PartSize: minPart})
			return errors.Join(err, same(got.ETag, ossETag(a, b, c)), same(got.CRC64, crc64Of(whole)), same(w.read("new"), whole), same(w.head("new").Type, "Multipart"))
		}},
		{"Expire", "idle is an upload since its newest part, or Initiate", func(w *world) error {
			empty, idle, active := w.upload(), w.upload(a), w.upload()
			w.now = w.now.Add(hour)
			w.part(active, 1, a)
			_, err := w.e.Expire(context.Background(), &engine.ExpireRequest{Before: w.now})
			return errors.Join(err, fails(w.abort(empty), engine.ErrNoSuchUpload), fails(w.abort(idle), engine.ErrNoSuchUpload), w.abort(active))
		}},

		// Listings.
		{"ListMultipartUploads", "by key, those of one key by id", func(w *world) error {
			var want []string
			for range 10 {
				want = append(want, "new "+w.upload(), "newer "+w.uploadOf(Initiate{Key: "newer"}))
			}
			slices.Sort(want)
			got, err := w.uploads(Uploads{Prefix: "new"})
			return errors.Join(err, same(namesOfUploads(got), want), same(got.IsTruncated, false))
		}},
		{"ListMultipartUploads", "what is said of an upload", func(w *world) error {
			id := w.uploadOf(Initiate{Attributes: Attributes{StorageClass: "IA"}}, a)
			got, err := w.uploads(Uploads{Prefix: "new"})
			return errors.Join(err, same(got.Uploads, []engine.MultipartUpload{{Key: "new", UploadID: id, Initiated: w.now, StorageClass: "IA"}}), same(got.MaxUploads, 1000))
		}},
		{"ListMultipartUploads", "those that ended are not listed", func(w *world) error {
			w.complete(w.upload())
			err1 := w.abort(w.upload())
			got, err2 := w.uploads(Uploads{Prefix: "new"})
			return errors.Join(err1, err2, same(len(got.Uploads), 0))
		}},
		{"ListMultipartUploads", "KeyMarker alone: greater keys", func(w *world) error {
			w.upload()
			id := w.uploadOf(Initiate{Key: "newer"})
			got, err := w.uploads(Uploads{Prefix: "new", KeyMarker: "new"})
			return errors.Join(err, same(namesOfUploads(got), []string{"newer " + id}))
		}},
		{"ListMultipartUploads", "KeyMarker and UploadIDMarker: also greater ids of that key", func(w *world) error {
			ids := []string{w.upload(), w.upload(), w.upload()}
			slices.Sort(ids)
			newer := w.uploadOf(Initiate{Key: "newer"})
			got, err1 := w.uploads(Uploads{Prefix: "new", KeyMarker: "new", UploadIDMarker: ids[1]})
			all, err2 := w.uploads(Uploads{Prefix: "new", KeyMarker: "new", UploadIDMarker: "!"}) // no upload's
			return errors.Join(err1, err2, same(namesOfUploads(got), []string{"new " + ids[2], "newer " + newer}), same(len(all.Uploads), 4))
		}},
		{"ListMultipartUploads", "UploadIDMarker alone is ignored", func(w *world) error {
			w.upload()
			got, err := w.uploads(Uploads{Prefix: "new", UploadIDMarker: "G"})
			return errors.Join(err, same(len(got.Uploads), 1))
		}},
		{"ListMultipartUploads", "a common prefix counts as one entry, and the next page begins behind it", func(w *world) error {
			w.uploadOf(Initiate{Key: "new/1"})
			w.uploadOf(Initiate{Key: "new/2"})
			id := w.uploadOf(Initiate{Key: "newer"})
			one, err1 := w.uploads(Uploads{Prefix: "new", Delimiter: "/", MaxUploads: 1})
			two, err2 := w.uploads(Uploads{Prefix: "new", Delimiter: "/", MaxUploads: 1, KeyMarker: one.NextKeyMarker, UploadIDMarker: one.NextUploadIDMarker})
			return errors.Join(err1, err2, same(one.CommonPrefixes, []string{"new/"}), same(len(one.Uploads), 0), same([]any{one.NextKeyMarker, one.NextUploadIDMarker, one.IsTruncated}, []any{"new/", "", true}),
				same(namesOfUploads(two), []string{"newer " + id}), same(len(two.CommonPrefixes), 0), same(two.IsTruncated, false))
		}},
		{"ListMultipartUploads", "the next markers name the last entry, also on the last page", func(w *world) error {
			id := w.upload()
			got, err1 := w.uploads(Uploads{Prefix: "new"})
			none, err2 := w.uploads(Uploads{Prefix: "newer"})
			return errors.Join(err1, err2, same([]any{got.NextKeyMarker, got.NextUploadIDMarker, got.IsTruncated}, []any{"new", id, false}), same([]any{none.NextKeyMarker, none.NextUploadIDMarker}, []any{"", ""}))
		}},
		{"ListParts", "what Initiate was told", func(w *world) error {
			told := Attributes{ContentType: "text/plain", StorageClass: "IA", Metadata: map[string]string{"m": "1"}, Annotations: map[string]string{"owner": "me"}}
			id := w.uploadOf(Initiate{Attributes: told, Checksum: some, Sequential: true, EncryptionRequest: Encrypted{ServerSideEncryption: "AES256"}})
			got, err := w.e.ListParts(context.Background(), &List{Bucket: "bucket", Key: "new", UploadID: id})
			if err != nil {
				return err
			}
			return errors.Join(same(got.Attributes, told), same(got.Checksum, engine.Checksum{Algorithm: "CRC32", Type: "COMPOSITE"}),
				same(got.Encryption, engine.Encryption{ServerSideEncryption: "AES256"}), same(got.Sequential, true), same(got.Initiated, w.now))
		}},
		{"ListParts", "by ascending number, each with its digests", func(w *world) error {
			id := w.upload()
			third, first := w.part(id, 3, c), w.part(id, 1, a)
			return same(w.parts(id), []engine.Part{
				{PartNumber: 1, ETag: first.ETag, Size: first.Size, CRC64: first.CRC64, LastModified: first.LastModified},
				{PartNumber: 3, ETag: third.ETag, Size: third.Size, CRC64: third.CRC64, LastModified: third.LastModified},
			})
		}},
		{"ListParts", "a page has 1000 entries and begins with the first, unless asked otherwise", func(w *world) error {
			got, err := w.e.ListParts(context.Background(), &List{Bucket: "bucket", Key: "key", UploadID: w.ids["open"]})
			return errors.Join(err, same(got.MaxParts, 1000), same(got.PartNumberMarker, 0), same(got.StorageClass, "Standard"))
		}},
		{"ListParts", "the next marker is the last number, also on the last page", func(w *world) error {
			one, err1 := w.e.ListParts(context.Background(), &List{Bucket: "bucket", Key: "key", UploadID: w.ids["open"], MaxParts: 2})
			two, err2 := w.e.ListParts(context.Background(), &List{Bucket: "bucket", Key: "key", UploadID: w.ids["open"], MaxParts: 2, PartNumberMarker: one.NextPartNumberMarker})
			return errors.Join(err1, err2, same([]any{one.NextPartNumberMarker, one.IsTruncated, two.PartNumberMarker, two.NextPartNumberMarker, two.IsTruncated}, []any{2, true, 2, 4, false}))
		}},
		{"ListParts", "a marker that is no part's", func(w *world) error {
			got, err := w.e.ListParts(context.Background(), &List{Bucket: "bucket", Key: "key", UploadID: w.ids["open"], PartNumberMarker: 3})
			return errors.Join(err, same(len(got.Parts), 1), same(got.Parts[0].PartNumber, 4))
		}},
		{"ListObjects", "a common prefix counts as one entry", func(w *world) error {
			for _, key := range []string{"new/1", "new/2", "newer"} {
				w.put(Put{Key: key})
			}
			got, err := w.e.ListObjects(context.Background(), &engine.ListObjectsRequest{Bucket: "bucket", Prefix: "new", Delimiter: "/", MaxKeys: 2})
			return errors.Join(err, same(got.CommonPrefixes, []string{"new/"}), same(keysOf(got.Objects), []string{"newer"}), same(got.IsTruncated, false))
		}},

		{"ListObjects", "a page has 100 entries unless more are asked for", func(w *world) error {
			for n := range 101 {
				w.put(Put{Key: fmt.Sprint("new/", n)})
			}
			one, err1 := w.e.ListObjects(context.Background(), &engine.ListObjectsRequest{Bucket: "bucket", Prefix: "new/"})
			all, err2 := w.e.ListObjects(context.Background(), &engine.ListObjectsRequest{Bucket: "bucket", Prefix: "new/", MaxKeys: 1000})
			return errors.Join(err1, err2, same([]any{one.MaxKeys, len(one.Objects), one.IsTruncated}, []any{100, 100, true}), same(len(all.Objects), 101))
		}},

		{"ListObjects", "a page of 0 entries is one of the default size", func(w *world) error {
			got, err := w.e.ListObjects(context.Background(), &engine.ListObjectsRequest{Bucket: "bucket", MaxKeys: engine.Zero})
			return errors.Join(err, same([]int{got.MaxKeys, len(got.Objects)}, []int{100, 3}))
		}},

		// Reading. What a range leaves out, ETag and CRC-64 cover all the same.
		{"GetObject", "bytes=1-3", reads(Get{Range: "bytes=1-3"}, "ont", true)},
		{"GetObject", "bytes=3-", reads(Get{Range: "bytes=3-"}, "tent", true)},
		{"GetObject", "bytes=-3", reads(Get{Range: "bytes=-3"}, "ent", true)},
		{"GetObject", "Bytes=-3", reads(Get{Range: "Bytes=-3"}, "ent", true)},
		{"GetObject", "bytes=0-6 are all bytes, and a range", reads(Get{Range: "bytes=0-6"}, "content", true)},
		{"GetObject", "a range that ends beyond the object is ignored", reads(Get{Range: "bytes=3-7"}, "content", false)},
		{"GetObject", "a range behind the end is ignored", reads(Get{Range: "bytes=7-"}, "content", false)},
		{"GetObject", "more last bytes than there are is ignored", reads(Get{Range: "bytes=-8"}, "content", false)},
		{"GetObject", "a malformed range is ignored", reads(Get{Range: "byte=0-1"}, "content", false)},
		{"GetObject", "a standard range that ends beyond the object is cut", reads(Get{Range: "bytes=3-7", RangeBehavior: "standard"}, "tent", true)},
		{"GetObject", "standard, more last bytes than there are is cut", reads(Get{Range: "bytes=-8", RangeBehavior: "standard"}, "content", true)},
		{"GetObject", "a malformed standard range is ignored", reads(Get{Range: "byte=0-1", RangeBehavior: "standard"}, "content", false)},
		{"GetObject", "a part of an object, by number", reads(Get{PartNumber: 1}, "content", true)},
		{"GetObject", "a part by number has the part's checksum", func(w *world) error {
			w.complete(w.uploadOf(Initiate{Checksum: some, EncryptionRequest: Encrypted{ServerSideEncryption: "KMS"}}, a, b))
			obj, read, err := w.get(Get{Key: "new", PartNumber: 2})
			if err != nil {
				return err
			}
			return errors.Join(same(read, b), same(obj.Selected, &engine.Selection{
				Start: int64(len(a)), Length: int64(len(b)), Checksum: engine.Checksum{Algorithm: "CRC32", Value: inBase64(checksumOf("CRC32", b))},
			}), reads(Get{Key: "new", PartNumber: 2}, string(b), true)(w))
		}},
		{"ListObjectParts", "in order, numbered anew, with size and checksum, by pages", func(w *world) error {
			id := w.uploadOf(Initiate{Checksum: some}, a, b, a, c)
			w.complete(id, 1, 2, 4)
			var got []engine.ObjectPart
			for marker, more := 0, true; more; {
				page, err := w.e.ListObjectParts(context.Background(), &ObjectParts{Bucket: "bucket", Key: "new", MaxParts: 2, PartNumberMarker: marker})
				if err != nil {
					return err
				}
				got, marker, more = append(got, page.ObjectParts...), page.NextPartNumberMarker, page.IsTruncated
			}
			var want []engine.ObjectPart
			for i, body := range [][]byte{a, b, c} {
				want = append(want, engine.ObjectPart{PartNumber: i + 1, Size: int64(len(body)), Checksum: engine.Checksum{Algorithm: "CRC32", Value: inBase64(checksumOf("CRC32", body))}})
			}
			return same(got, want)
		}},
		{"ListObjectParts", "PutObject has one part, without checksum unless one was asked for", func(w *world) error {
			got, err := w.e.ListObjectParts(context.Background(), &ObjectParts{Bucket: "bucket", Key: "put"})
			return errors.Join(err, same(got.ObjectParts, []engine.ObjectPart{{PartNumber: 1, Size: 7}}), same(got.ETag, md5ETag(content)))
		}},
		{"HeadObject", "what PutObject made is Normal and has an MD5", func(w *world) error {
			return errors.Join(same(w.head("put").Type, "Normal"), same(w.head("put").ContentMD5, base64MD5(content)), same(w.head("put").ETag, md5ETag(content)))
		}},
		{"HeadObject", "IfMatch the object's, in quotes and lower case", heads(func(w *world) When { return When{IfMatch: `"` + strings.ToLower(w.object.ETag) + `"`} })},
		{"HeadObject", "IfMatch a list with the object's", heads(func(w *world) When { return When{IfMatch: `W/"5", "6,7", "` + w.object.ETag + `"`} })},
		{"HeadObject", "IfNoneMatch another", heads(func(w *world) When { return When{IfNoneMatch: md5ETag(nil)} })},
		{"HeadObject", "IfUnmodifiedSince the same time", heads(func(w *world) When { return When{IfUnmodifiedSince: w.now} })},
		{"HeadObject", "IfModifiedSince before", heads(func(w *world) When { return When{IfModifiedSince: w.now.Add(-time.Second)} })},
		{"HeadObject", "IfMatch holds, IfUnmodifiedSince does not matter", heads(func(w *world) When { return When{IfMatch: w.object.ETag, IfUnmodifiedSince: w.now.Add(-hour)} })},
		{"HeadObject", "IfNoneMatch holds, IfModifiedSince does not matter", heads(func(w *world) When { return When{IfNoneMatch: md5ETag(nil), IfModifiedSince: w.now} })},

		// PutObject.
		{"PutObject", "ETag, MD5 and CRC-64 are the body's", func(w *world) error {
			got := w.put(Put{Body: bytes.NewReader(a), Size: minPart, ContentMD5: base64MD5(a)})
			return errors.Join(same(got.ETag, md5ETag(a)), same(got.ContentMD5, base64MD5(a)), same(got.CRC64, crc64Of(a)), same(w.read("new"), a))
		}},
		{"PutObject", "an empty body", func(w *world) error {
			got := w.put(Put{})
			return errors.Join(same(got.ETag, "D41D8CD98F00B204E9800998ECF8427E"), same(got.CRC64, 0), same(w.head("new").ContentType, "application/octet-stream"))
		}},
		{"PutObject", "an object of that name is replaced", func(w *world) error {
			w.complete(w.upload(a))
			w.put(Put{Body: bytes.NewReader(b)})
			return errors.Join(same(w.read("new"), b), same(w.head("new").Type, "Normal"))
		}},
		{"PutObject", "conditions on the object that hold", func(w *world) error {
			w.put(Put{Preconditions: If{IfMatch: w.put(Put{Preconditions: If{ForbidOverwrite: true, IfNoneMatch: "*"}}).ETag}})
			return nil
		}},

		// CopyObject.
		{"CopyObject", "of PutObject", func(w *world) error {
			got, src := mustCopy(w.t, w.e, Copy{Key: "new", SourceKey: "put"}), w.head("put")
			return errors.Join(same(got.ETag, src.ETag), same(got.CRC64, src.CRC64), same(w.head("new").Type, "Normal"))
		}},
		{"CopyObject", "of an upload keeps type and ETag", func(w *world) error {
			return errors.Join(same(mustCopy(w.t, w.e, Copy{Key: "new", SourceKey: "there"}).ETag, w.object.ETag), same(w.head("new").Type, "Multipart"))
		}},
		{"CopyObject", "the copy is modified now", func(w *world) error {
			w.now = w.now.Add(hour)
			return same(mustCopy(w.t, w.e, Copy{Key: "new", SourceKey: "put"}).LastModified, w.now)
		}},
		{"CopyObject", "there is no limit of 1 GB", func(w *world) error {
			src := w.head(w.largerThanAPart())
			return same(mustCopy(w.t, w.e, Copy{Key: "copy", SourceKey: "new"}).ETag, src.ETag)
		}},
		{"CopyObject", "the metadata is the source's", func(w *world) error {
			w.put(Put{Attributes: Attributes{ContentType: "text/plain", Metadata: map[string]string{"a": "1"}, Tags: map[string]string{"t": "1"}}})
			mustCopy(w.t, w.e, Copy{Key: "copy", SourceKey: "new", Attributes: Attributes{ContentType: "text/html", Metadata: map[string]string{"a": "2"}, Tags: map[string]string{"t": "2"}}})
			got := w.head("copy")
			return errors.Join(same(got.ContentType, "text/plain"), same(got.Metadata, map[string]string{"a": "1"}), same(got.Tags, map[string]string{"t": "1"}))
		}},
		{"CopyObject", "another checksum is of the whole, and nothing is stored for it", func(w *world) (err error) {
			whole := slices.Concat(a, b)
			w.complete(w.uploadOf(Initiate{Checksum: some}, a, b))
			before := tallyOf(w.t, w.e)
			for _, algorithm := range []string{"CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"} {
				got := mustCopy(w.t, w.e, Copy{Key: "copy", SourceKey: "new", ChecksumAlgorithm: crypto.ChecksumAlgorithm(algorithm)})
				want := engine.Checksum{Algorithm: crypto.ChecksumAlgorithm(algorithm), Type: "FULL_OBJECT", Value: inBase64(checksumOf(algorithm, whole))}
				err = errors.Join(err, same(got.Checksum, want), same(w.head("copy").Checksum, want), same(tallyOf(w.t, w.e).Chunks, before.Chunks), same(tallyOf(w.t, w.e).Parts, before.Parts))
				// A copy of the copy knows its parts as the source does.
				mustCopy(w.t, w.e, Copy{Key: "copy", SourceKey: "copy", EncryptionRequest: Encrypted{ServerSideEncryption: "AES256"}})
				parts, failed := w.e.ListObjectParts(context.Background(), &ObjectParts{Bucket: "bucket", Key: "copy", MaxParts: 1})
				err = errors.Join(err, failed, same(w.head("copy").Checksum, want), same(parts.ObjectParts[0].Checksum, engine.Checksum{Algorithm: "CRC32", Value: inBase64(checksumOf("CRC32", a))}))
			}
			return err
		}},
		{"CopyObject", "a full checksum where the parts have made a composite one", func(w *world) error {
			w.complete(w.uploadOf(Initiate{Checksum: engine.Checksum{Algorithm: "SHA256"}}, a, b))
			got := mustCopy(w.t, w.e, Copy{Key: "copy", SourceKey: "new", ChecksumAlgorithm: "SHA256"})
			return same(got.Checksum, engine.Checksum{Algorithm: "SHA256", Type: "FULL_OBJECT", Value: inBase64(checksumOf("SHA256", slices.Concat(a, b)))})
		}},
		{"CopyObject", "another checksum, and other keys", func(w *world) error {
			w.complete(w.upload(a, b))
			got := mustCopy(w.t, w.e, Copy{Key: "copy", SourceKey: "new", ChecksumAlgorithm: "SHA256", EncryptionRequest: Encrypted{ServerSideEncryption: "AES256"}})
			return errors.Join(same(got.Checksum.Value, inBase64(checksumOf("SHA256", slices.Concat(a, b)))), same(w.read("copy"), slices.Concat(a, b)))
		}},
		{"UploadPartCopy", "of a copy with another checksum than its parts", func(w *world) error {
			mustCopy(w.t, w.e, Copy{Key: "copy", SourceKey: "put", ChecksumAlgorithm: "CRC32"})
			return same(w.copied(w.uploadOf(Initiate{Checksum: some}), PartCopy{SourceKey: "copy"}).Checksum.Value, inBase64(checksumOf("CRC32", content)))
		}},
		{"CopyObject", "redirect and annotations are never the source's, Content-Language is", func(w *world) error {
			w.put(Put{Attributes: Attributes{ContentLanguage: "de", WebsiteRedirect: "/a", Annotations: map[string]string{"acl": "a"}}})
			mustCopy(w.t, w.e, Copy{Key: "copy", SourceKey: "new", Attributes: Attributes{ContentLanguage: "en", Annotations: map[string]string{"acl": "b"}}})
			got := w.head("copy")
			return errors.Join(same(got.ContentLanguage, "de"), same(got.WebsiteRedirect, ""), same(got.Annotations, map[string]string{"acl": "b"}))
		}},
		{"CopyObject", "REPLACE onto itself changes the metadata", func(w *world) error {
			w.put(Put{Body: bytes.NewReader(a), Attributes: Attributes{ContentType: "text/plain", Metadata: map[string]string{"a": "1"}, Tags: map[string]string{"t": "1"}}})
			mustCopy(w.t, w.e, Copy{Key: "new", SourceKey: "new", MetadataDirective: "REPLACE", Attributes: Attributes{Metadata: map[string]string{"b": "2"}}, TaggingDirective: "REPLACE"})
			got := w.head("new")
			return errors.Join(same(got.ContentType, "application/octet-stream"), same(got.Metadata, map[string]string{"b": "2"}), same(len(got.Tags), 0), same(w.read("new"), a))
		}},
		{"CopyObject", "the encryption is not the source's", func(w *world) error {
			w.put(Put{Body: bytes.NewReader(a), EncryptionRequest: Encrypted{ServerSideEncryption: "AES256"}})
			mustCopy(w.t, w.e, Copy{Key: "copy", SourceKey: "new"})
			return errors.Join(same(w.head("copy").Encryption, engine.Encryption{}), same(w.read("copy"), a))
		}},
		{"CopyObject", "a source that is missing is told in the words that clients compare", func(w *world) error {
			for _, do := range []func(*world) error{copyObject(Copy{SourceBucket: "bucket", SourceKey: "absent"}), partCopy(PartCopy{SourceBucket: "bucket", SourceKey: "absent"})} {
				err := asError(w.t, do(w))
				if err := errors.Join(same(err.Message, "The specified key does not exist."), same(err.Err.Error(), "it is the source, bucket/absent")); err != nil {
					return err
				}
			}
			return nil
		}},
		{"CopyObject", "onto itself, though nothing changes", func(w *world) error {
			w.now = w.now.Add(hour)
			return same(mustCopy(w.t, w.e, Copy{Key: "put", SourceKey: "put"}).LastModified, w.now)
		}},
		{"CopyObject", "conditions that hold", func(w *world) error {
			mustCopy(w.t, w.e, Copy{Key: "new", SourceKey: "there", Conditions: When{IfMatch: w.object.ETag, IfModifiedSince: w.now.Add(-hour)}})
			mustCopy(w.t, w.e, Copy{Key: "new", SourceKey: "there", Conditions: When{IfUnmodifiedSince: w.now, IfNoneMatch: md5ETag(nil)}})
			return nil
		}},

		// Tags in place.
		{"PutObjectTagging", "the tags are others, and all else stays, the time too", func(w *world) error {
			w.put(Put{Body: bytes.NewReader(a), Attributes: Attributes{StorageClass: "IA", Tags: map[string]string{"a": "1", "b": "2"}}, EncryptionRequest: Encrypted{ServerSideEncryption: "KMS"}})
			want := w.head("new")
			want.Tags = map[string]string{"b": "3"}
			w.now = w.now.Add(hour)
			err := call((*engine.Engine).PutObjectTagging, Tag{Bucket: "bucket", Key: "new", Tags: want.Tags})(w)
			return errors.Join(err, same(w.head("new"), want), same(w.read("new"), a))
		}},
		{"DeleteObjectTagging", "there are none, and that again is no error", func(w *world) error {
			w.put(Put{Attributes: Attributes{Tags: map[string]string{"a": "1"}}})
			gone := call((*engine.Engine).DeleteObjectTagging, engine.DeleteObjectTaggingRequest{Bucket: "bucket", Key: "new"})
			err := errors.Join(gone(w), gone(w))
			got, err1 := w.e.GetObjectTagging(context.Background(), &engine.GetObjectTaggingRequest{Bucket: "bucket", Key: "new"})
			return errors.Join(err, err1, same(len(got.Tags), 0))
		}},

		// Deletion.
		{"DeleteObject", "what was there is gone", func(w *world) error {
			mustDelete(w.t, w.e, "bucket", "there")
			return fails(getObject(Get{})(w), engine.ErrNoSuchKey)
		}},
		{"DeleteObject", "what is not there is no error", func(w *world) error {
			mustDelete(w.t, w.e, "bucket", "absent")
			return nil
		}},
		{"DeleteObject", "IfMatch the object's, or *, and when there is none", func(w *world) error {
			del := func(key, etag string) error {
				return call((*engine.Engine).DeleteObject, Delete{Bucket: "bucket", Key: key, IfMatch: etag})(w)
			}
			err := errors.Join(del("there", `"`+w.object.ETag+`"`), del("put", "*"), del("there", w.object.ETag), del("absent", "*"))
			return errors.Join(err, fails(getObject(Get{})(w), engine.ErrNoSuchKey), fails(getObject(Get{Key: "put"})(w), engine.ErrNoSuchKey))
		}},
		{"DeleteObjects", "IfMatch is judged key by key", func(w *world) error {
			got, err := w.e.DeleteObjects(context.Background(), &DeleteAll{
				Bucket: "bucket", Keys: []string{"there", "put", "of a client"}, IfMatch: map[string]string{"there": w.object.ETag, "put": w.object.ETag},
			})
			if err != nil {
				return err
			}
			return errors.Join(same(got.Deleted, []string{"there", "of a client"}), same(len(got.Errors), 1), same(got.Errors[0].Key, "put"),
				fails(got.Errors[0].Err, engine.ErrPreconditionFailed), same(got.Errors[0].Err.Condition, "If-Match"), getObject(Get{Key: "put"})(w))
		}},
		{"DeleteObject", "an upload of that key stays open", func(w *world) error {
			id := w.upload(a)
			mustDelete(w.t, w.e, "bucket", "new")
			return same(len(w.parts(id)), 1)
		}},
		{"DeleteObjects", "every key is answered, also of what was not there", func(w *world) error {
			got, err := w.e.DeleteObjects(context.Background(), &DeleteAll{Bucket: "bucket", Keys: []string{"there", "absent", "put"}})
			return errors.Join(err, same(got.Deleted, []string{"there", "absent", "put"}), same(len(got.Errors), 0), fails(getObject(Get{})(w), engine.ErrNoSuchKey))
		}},
		{"DeleteObjects", "Quiet, only what failed is answered", func(w *world) error {
			got, err := w.e.DeleteObjects(context.Background(), &DeleteAll{Bucket: "bucket", Keys: []string{"there", "/key"}, Quiet: true})
			return errors.Join(err, same(len(got.Deleted), 0), same(len(got.Errors), 1), fails(got.Errors[0].Err, engine.ErrInvalidObjectName), fails(getObject(Get{})(w), engine.ErrNoSuchKey))
		}},
		{"DeleteObjects", "1000 keys", func(w *world) error {
			got, err := w.e.DeleteObjects(context.Background(), &DeleteAll{Bucket: "bucket", Keys: slices.Repeat([]string{"there"}, 1000)})
			return errors.Join(err, same(len(got.Deleted), 1000))
		}},

		// Checksums.
		{"InitiateMultipartUpload", "the type of a checksum, if none is asked for", func(w *world) (err error) {
			for algorithm, want := range map[string]string{"CRC32": "COMPOSITE", "CRC32C": "COMPOSITE", "SHA1": "COMPOSITE", "SHA256": "COMPOSITE", "CRC64NVME": "FULL_OBJECT"} {
				got := w.complete(w.uploadOf(Initiate{Checksum: engine.Checksum{Algorithm: crypto.ChecksumAlgorithm(algorithm)}}, c))
				err = errors.Join(err, same(got.Checksum.Type, engine.ChecksumType(want)))
			}
			return err
		}},
		{"CompleteMultipartUpload", "an object of no bytes, as was said", func(w *world) error {
			_, err := w.tryComplete(w.upload(nil), Complete{Size: engine.EmptyBody})
			return err
		}},
		{"CompleteMultipartUpload", "a composite checksum is over those of the parts", func(w *world) error {
			got := w.complete(w.uploadOf(Initiate{Checksum: some}, a, b))
			return same(got.Checksum.Value, inBase64(checksumOf("CRC32", checksumOf("CRC32", a), checksumOf("CRC32", b)))+"-2")
		}},
		{"CompleteMultipartUpload", "a composite checksum may be given without the number of parts", func(w *world) (err error) {
			value := inBase64(checksumOf("CRC32", checksumOf("CRC32", a), checksumOf("CRC32", b)))
			for _, given := range []string{value, value + "-2"} {
				_, failed := w.tryComplete(w.uploadOf(Initiate{Checksum: some}, a, b), Complete{Checksum: engine.Checksum{Algorithm: "CRC32", Value: given}})
				err = errors.Join(err, failed)
			}
			_, failed := w.tryComplete(w.uploadOf(Initiate{Checksum: some}, a, b), Complete{Checksum: engine.Checksum{Algorithm: "CRC32", Value: value + "-3"}})
			return errors.Join(err, fails(failed, engine.ErrBadDigest))
		}},
		{"CompleteMultipartUpload", "a full checksum is that of the whole", func(w *world) error {
			got := w.complete(w.uploadOf(Initiate{Checksum: engine.Checksum{Algorithm: "CRC64NVME"}}, a, b))
			return same(got.Checksum.Value, inBase64(checksumOf("CRC64NVME", a, b)))
		}},
		{"ListParts", "the checksums of the parts", func(w *world) error {
			got := w.parts(w.uploadOf(Initiate{Checksum: some}, a))[0].Checksum
			return same(got, engine.Checksum{Algorithm: "CRC32", Value: inBase64(checksumOf("CRC32", a))})
		}},
		{"UploadPart", "a checksum that the upload did not ask for is compared and forgotten", func(w *world) error {
			sum := engine.Checksum{Algorithm: "SHA1", Value: inBase64(checksumOf("SHA1", content))}
			return part(Part{UploadID: "open", PartNumber: 1, Body: bytes.NewReader(content), Checksum: sum})(w)
		}},

		// Keys of the client's own.
		{"PutObject", "a client's key reads what it wrote", func(w *world) error {
			got := w.put(Put{Body: bytes.NewReader(content), EncryptionRequest: Encrypted{SSECustomerKey: clientKey}})
			_, read, err := w.get(Get{Key: "new", SSECustomerKey: clientKey})
			return errors.Join(err, same(read, content), same(got.Encryption, engine.Encryption{SSECustomerAlgorithm: "AES256"}))
		}},

		// S3's rules.
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

// TestFacts shows the facts.
func TestFacts(t *testing.T) {
	ring := keys(t)
	for _, row := range facts() {
		t.Run(row.op+"/"+row.when, func(t *testing.T) {
			if err := row.do(newWorld(t, ring)); err != nil {
				t.Error(err)
			}
		})
	}
}
