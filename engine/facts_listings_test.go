package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gabion-storage/gabion/engine"
)

// listingFacts are those of buckets, names and listings.
func listingFacts() []fact {
	a, b, c := random(11, minPart), random(12, minPart), random(13, 3)
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
			_, many := w.e.ListBuckets(context.Background(), &engine.ListBucketsRequest{MaxBuckets: engine.MaxBucketListing + 1})
			return errors.Join(
				want(engine.ListBucketsRequest{}, false, "", "bucket", "bucket-2", "other-bucket", "s3-bucket"),
				want(engine.ListBucketsRequest{Prefix: "bucket"}, false, "", "bucket", "bucket-2"),
				want(engine.ListBucketsRequest{Marker: "bucket"}, false, "", "bucket-2", "other-bucket", "s3-bucket"),
				want(engine.ListBucketsRequest{Prefix: "bucket", Marker: "bucket"}, false, "", "bucket-2"),
				want(engine.ListBucketsRequest{Prefix: "b", Marker: "a"}, false, "", "bucket", "bucket-2"),
				want(engine.ListBucketsRequest{MaxBuckets: 2}, true, "bucket-2", "bucket", "bucket-2"),
				want(engine.ListBucketsRequest{Marker: "bucket-2", MaxBuckets: 2}, false, "", "other-bucket", "s3-bucket"),
				want(engine.ListBucketsRequest{MaxBuckets: engine.Zero}, false, ""),
				fails(negative, engine.ErrInvalidArgument), fails(many, engine.ErrInvalidArgument),
			)
		}},
		{"BucketStats", "objects, their bytes, also of each storage class, and open uploads", func(w *world) error {
			mustBucket(w.t, w.e, "bucket-2")
			w.bucket = "bucket-2"
			w.put(Put{Key: "one", Body: bytes.NewReader(a)})
			w.put(Put{Key: "two", Body: bytes.NewReader(c), Attributes: Attributes{StorageClass: "IA"}})
			w.put(Put{Key: "three", Body: bytes.NewReader(c), Attributes: Attributes{StorageClass: "IA"}})
			w.upload(b)
			got, err := w.e.BucketStats(context.Background(), &engine.BucketStatsRequest{Bucket: "bucket-2"})
			return errors.Join(err, same(got, &engine.BucketStatsResult{
				Objects: 3, LogicalBytes: int64(len(a) + 2*len(c)), Uploads: 1,
				Classes: map[engine.StorageClass]engine.ClassStats{"Standard": {Objects: 1, LogicalBytes: int64(len(a))}, "IA": {Objects: 2, LogicalBytes: int64(2 * len(c))}},
			}))
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
	}
}
