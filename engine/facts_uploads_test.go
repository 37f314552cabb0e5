package engine_test

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gabion-storage/gabion/engine"
)

// uploadFacts are those of initiating, sequential uploads, parts, Complete and Abort.
func uploadFacts() []fact {
	hour := time.Hour
	a, b, c := random(11, minPart), random(12, minPart), random(13, 3)
	content := []byte("content") // of bucket/there
	return []fact{
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
		{"InitiateMultipartUpload", "tags are letters and digits of any script, space and + - = . _ : /", func(w *world) error {
			tags := map[string]string{"aZ 09+-=._:/": " :/+", "中文": "Größe ٣"}
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
	}
}
