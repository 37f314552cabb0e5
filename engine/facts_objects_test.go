package engine_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
)

// objectFacts are those of whole objects: reading, PutObject, copies, tags and deletion.
func objectFacts() []fact {
	hour := time.Hour
	a, b, c := random(11, minPart), random(12, minPart), random(13, 3)
	content := []byte("content") // of bucket/there
	some := engine.Checksum{Algorithm: "CRC32"}
	return []fact{
		// Reading. What a range leaves out, ETag and CRC-64 cover all the same.
		{"GetObject", "bytes=1-3", reads(Get{Range: "bytes=1-3"}, "ont", true)},
		{"GetObject", "bytes=3-", reads(Get{Range: "bytes=3-"}, "tent", true)},
		{"GetObject", "bytes=-3", reads(Get{Range: "bytes=-3"}, "ent", true)},
		{"GetObject", "Bytes=-3", reads(Get{Range: "Bytes=-3"}, "ent", true)},
		{"GetObject", "bytes=0-6 are all bytes, and a range", reads(Get{Range: "bytes=0-6"}, "content", true)},
		{"GetObject", "of several ranges the first is read", reads(Get{Range: "bytes=1-2,a-c"}, "on", true)},
		{"GetObject", "several ranges, of which the first is none, are ignored", reads(Get{Range: "bytes=,1-2"}, "content", false)},
		{"GetObject", "several standard ranges are ignored", reads(Get{Range: "bytes=1-2,4-5", RangeBehavior: "standard"}, "content", false)},
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
			checkSequence(w.t, "ObjectParts", w.e.ObjectParts(context.Background(), &ObjectParts{Bucket: "bucket", Key: "new", MaxParts: 2}), want)
			checkFailing(w.t, w.e.ObjectParts(context.Background(), &ObjectParts{Bucket: "bucket", Key: "absent"}), engine.ErrNoSuchKey)
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
			for algorithm := range checksums {
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
		{"CopyObject", "another checksum, and other keys", func(w *world) (err error) {
			w.complete(w.upload(a, b))
			for _, algorithm := range []string{"SHA256", "MD5"} {
				for source, whole := range map[string][]byte{"new": slices.Concat(a, b), "put": content} {
					got := mustCopy(w.t, w.e, Copy{Key: "copy", SourceKey: source, ChecksumAlgorithm: crypto.ChecksumAlgorithm(algorithm), EncryptionRequest: Encrypted{ServerSideEncryption: "AES256"}})
					err = errors.Join(err, same(got.Checksum.Value, inBase64(checksumOf(algorithm, whole))), same(w.read("copy"), whole))
				}
			}
			return err
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
		{"CopyObject", "onto itself leaves the annotations, unless it has some or encrypts", func(w *world) error {
			told := map[string]string{"acl": "a"}
			w.put(Put{Attributes: Attributes{Annotations: told}})
			onto := func(c Copy) map[string]string {
				c.Key, c.SourceKey, c.MetadataDirective = "new", "new", "REPLACE"
				mustCopy(w.t, w.e, c)
				return w.head("new").Annotations
			}
			return errors.Join(same(onto(Copy{}), told),
				same(len(onto(Copy{Attributes: Attributes{Annotations: map[string]string{}}})), 0),
				same(onto(Copy{Attributes: Attributes{Annotations: told}, EncryptionRequest: Encrypted{ServerSideEncryption: "AES256"}}), told),
				same(len(onto(Copy{EncryptionRequest: Encrypted{ServerSideEncryption: "AES256"}})), 0))
		}},
		{"CopyObject", "REPLACE onto itself changes the metadata", func(w *world) error {
			w.put(Put{Body: bytes.NewReader(a), Attributes: Attributes{ContentType: "text/plain", Metadata: map[string]string{"a": "1"}, Tags: map[string]string{"t": "1"}}})
			mustCopy(w.t, w.e, Copy{Key: "new", SourceKey: "new", MetadataDirective: "REPLACE", Attributes: Attributes{Metadata: map[string]string{"b": "2"}}, TaggingDirective: "REPLACE"})
			got := w.head("new")
			return errors.Join(same(got.ContentType, "application/octet-stream"), same(got.Metadata, map[string]string{"b": "2"}), same(len(got.Tags), 0), same(w.read("new"), a))
		}},
		{"CopyObject", "onto itself the metadata is the request's, whatever is said", func(w *world) (err error) {
			for _, d := range []engine.Directive{"", "COPY"} {
				w.put(Put{Body: bytes.NewReader(a), Attributes: Attributes{ContentType: "text/plain", Metadata: map[string]string{"a": "1"}, Tags: map[string]string{"t": "1"}}})
				mustCopy(w.t, w.e, Copy{Key: "new", SourceKey: "new", MetadataDirective: d, Attributes: Attributes{CacheControl: "no-cache", Metadata: map[string]string{"b": "2"}}})
				got := w.head("new")
				err = errors.Join(err, same(got.ContentType, "application/octet-stream"), same(got.CacheControl, "no-cache"), same(got.Metadata, map[string]string{"b": "2"}),
					same(got.Tags, map[string]string{"t": "1"}), same(w.read("new"), a))
			}
			return err
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
				Bucket: "bucket", Keys: []string{"there", "put", "of a client"}, IfMatch: []string{w.object.ETag, w.object.ETag, ""},
			})
			if err != nil {
				return err
			}
			return errors.Join(same(got.Deleted, []string{"there", "of a client"}), same(len(got.Errors), 1), same(got.Errors[0].Key, "put"),
				fails(got.Errors[0].Err, engine.ErrPreconditionFailed), same(got.Errors[0].Err.Condition, "If-Match"), getObject(Get{Key: "put"})(w))
		}},
		{"DeleteObjects", "IfMatch is that of the entry, of a key that comes twice", func(w *world) error {
			own, other := mustPut(w.t, w.e, Put{Key: "new"}).ETag, w.object.ETag
			got, err := w.e.DeleteObjects(context.Background(), &DeleteAll{Bucket: "bucket", Keys: []string{"new", "new"}, IfMatch: []string{other, own}})
			if err != nil {
				return err
			}
			return errors.Join(same(got.Deleted, []string{"new"}), same(len(got.Errors), 1), fails(getObject(Get{Key: "new"})(w), engine.ErrNoSuchKey))
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
	}
}
