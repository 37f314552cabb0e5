package engine_test

import (
	"errors"
	"io"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// The facts about OSS's semantics, and S3's where they differ, one a row: here what is refused, in
// facts_done_test.go what is done. Both tables have the same order: buckets and names, Initiate,
// encryption, sequential uploads, parts, copied parts, Complete, Abort, Upload, listings, reading,
// PutObject, CopyObject, tags, deletion, checksums, keys of clients, S3's rules.

// The requests, for short.
type (
	Initiate   = engine.InitiateMultipartUploadRequest
	Attributes = engine.Attributes
	Encrypted  = engine.EncryptionRequest
	If         = engine.Preconditions
	Part       = engine.UploadPartRequest
	PartCopy   = engine.UploadPartCopyRequest
	Complete   = engine.CompleteMultipartUploadRequest
	Whole      = engine.UploadRequest
	Uploads    = engine.ListMultipartUploadsRequest
	List       = engine.ListPartsRequest
	Head       = engine.HeadObjectRequest
	Get        = engine.GetObjectRequest
	Put        = engine.PutObjectRequest
	Copy       = engine.CopyObjectRequest
	DeleteAll  = engine.DeleteObjectsRequest
	Tag        = engine.PutObjectTaggingRequest
	Delete     = engine.DeleteObjectRequest

	ObjectParts = engine.ListObjectPartsRequest
	When        = engine.Conditions
)

// A refusal is a request that fails with this code, HTTP status and fine-grained code.
type refusal struct {
	op, when string
	do       func(*world) error
	code     string
	status   int
	ec       string
}

// refusals are what is refused and how. They share a world, and none of them changes anything.
func refusals() []refusal {
	const emptyMD5 = "D41D8CD98F00B204E9800998ECF8427E"
	wrong := []engine.CompletedPart{{PartNumber: 1, ETag: emptyMD5}}
	numbered := func(n int) []engine.CompletedPart { return []engine.CompletedPart{{PartNumber: n, ETag: emptyMD5}} }
	body := func(text string) io.Reader { return strings.NewReader(text) }
	crc := uint64(1)
	sha := engine.Checksum{Algorithm: "SHA256", Value: inBase64(checksumOf("SHA256"))} // of nothing
	made := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)                                // when bucket/there was
	etag, before := ossETag([]byte("content")), made.Add(-time.Second)
	kms := func(keyID string) Initiate {
		return Initiate{EncryptionRequest: Encrypted{ServerSideEncryption: "KMS", ServerSideEncryptionKeyID: keyID}}
	}
	toS3 := func(c When) Copy { return Copy{Bucket: "s3-bucket", Conditions: c} }
	partToS3 := func(c When) PartCopy { return PartCopy{Bucket: "s3-bucket", UploadID: "s3 open", Conditions: c} }
	return []refusal{
		// Buckets and names.
		{"CreateBucket", "the name is taken", call((*engine.Engine).CreateBucket, engine.CreateBucketRequest{Bucket: "bucket"}), "BucketAlreadyExists", 409, "0015-00000104"},
		{"CreateBucket", "the name has two letters", call((*engine.Engine).CreateBucket, engine.CreateBucketRequest{Bucket: "ab"}), "InvalidBucketName", 400, ""},
		{"CreateBucket", "the name has 64 letters", call((*engine.Engine).CreateBucket, engine.CreateBucketRequest{Bucket: strings.Repeat("a", 64)}), "InvalidBucketName", 400, ""},
		{"CreateBucket", "the name begins with -", call((*engine.Engine).CreateBucket, engine.CreateBucketRequest{Bucket: "-abc"}), "InvalidBucketName", 400, ""},
		{"CreateBucket", "the name ends with -", call((*engine.Engine).CreateBucket, engine.CreateBucketRequest{Bucket: "abc-"}), "InvalidBucketName", 400, ""},
		{"CreateBucket", "the name has a capital letter", call((*engine.Engine).CreateBucket, engine.CreateBucketRequest{Bucket: "Abc"}), "InvalidBucketName", 400, ""},
		{"CreateBucket", "the name has a dot", call((*engine.Engine).CreateBucket, engine.CreateBucketRequest{Bucket: "a.b"}), "InvalidBucketName", 400, ""},
		{"CreateBucket", "rules that nobody knows", call((*engine.Engine).CreateBucket, engine.CreateBucketRequest{Bucket: "new", Rules: "FTP"}), "InvalidArgument", 400, ""},
		{"CreateBucket", "a dedup scope that nobody knows", call((*engine.Engine).CreateBucket, engine.CreateBucketRequest{Bucket: "new", DedupScope: "tenant"}), "InvalidArgument", 400, ""},
		{"CreateBucket", "annotations over 8 KiB", call((*engine.Engine).CreateBucket, engine.CreateBucketRequest{Bucket: "new", Annotations: map[string]string{"a": strings.Repeat("v", 8<<10)}}), "InvalidArgument", 400, ""},
		{"PutBucketAnnotations", "no such bucket", call((*engine.Engine).PutBucketAnnotations, engine.PutBucketAnnotationsRequest{Bucket: "absent"}), "NoSuchBucket", 404, "0015-00000101"},
		{"PutBucketAnnotations", "over 8 KiB", call((*engine.Engine).PutBucketAnnotations, engine.PutBucketAnnotationsRequest{Bucket: "bucket", Annotations: map[string]string{"a": strings.Repeat("v", 8<<10)}}), "InvalidArgument", 400, ""},
		{"CreateBucket", "IfAbsent, and the name is taken by a bucket of other rules", call((*engine.Engine).CreateBucket, engine.CreateBucketRequest{Bucket: "bucket", Rules: engine.S3, IfAbsent: true}), "BucketAlreadyExists", 409, "0015-00000104"},
		{"CreateBucket", "IfAbsent, and the name is taken by a bucket of another dedup scope", call((*engine.Engine).CreateBucket, engine.CreateBucketRequest{Bucket: "bucket", DedupScope: engine.DedupNone, IfAbsent: true}), "BucketAlreadyExists", 409, "0015-00000104"},
		{"CreateBucket", "an unknown storage class", call((*engine.Engine).CreateBucket, engine.CreateBucketRequest{Bucket: "new", StorageClass: "GLACIER"}), "InvalidArgument", 400, ""},
		{"CreateBucket", "an unknown storage class, by S3's rules", call((*engine.Engine).CreateBucket, engine.CreateBucketRequest{Bucket: "new", Rules: engine.S3, StorageClass: "IA"}), "InvalidStorageClass", 400, ""},
		{"BucketStats", "no such bucket", call((*engine.Engine).BucketStats, engine.BucketStatsRequest{Bucket: "absent"}), "NoSuchBucket", 404, "0015-00000101"},
		{"DeleteBucket", "it has objects", call((*engine.Engine).DeleteBucket, engine.DeleteBucketRequest{Bucket: "bucket"}), "BucketNotEmpty", 409, "0015-00000301"},
		{"DeleteBucket", "it has open uploads", call((*engine.Engine).DeleteBucket, engine.DeleteBucketRequest{Bucket: "other-bucket"}), "BucketNotEmpty", 409, "0015-00000301"},
		{"DeleteBucket", "no such bucket", call((*engine.Engine).DeleteBucket, engine.DeleteBucketRequest{Bucket: "absent"}), "NoSuchBucket", 404, "0015-00000101"},
		{"HeadBucket", "no such bucket", call((*engine.Engine).HeadBucket, engine.HeadBucketRequest{Bucket: "absent"}), "NoSuchBucket", 404, "0015-00000101"},
		{"InitiateMultipartUpload", "no such bucket", initiate(Initiate{Bucket: "absent"}), "NoSuchBucket", 404, "0015-00000101"},
		{"InitiateMultipartUpload", "the bucket's name breaks the rules", initiate(Initiate{Bucket: "UPPER"}), "InvalidBucketName", 400, ""},
		{"InitiateMultipartUpload", "the key is empty", call((*engine.Engine).InitiateMultipartUpload, Initiate{Bucket: "bucket"}), "InvalidObjectName", 400, ""},
		{"InitiateMultipartUpload", "the key begins with /", initiate(Initiate{Key: "/key"}), "InvalidObjectName", 400, ""},
		{"InitiateMultipartUpload", `the key begins with \`, initiate(Initiate{Key: `\key`}), "InvalidObjectName", 400, ""},
		{"InitiateMultipartUpload", "the key has 1024 bytes", initiate(Initiate{Key: strings.Repeat("k", 1024)}), "InvalidObjectName", 400, ""},
		{"InitiateMultipartUpload", "the key is not UTF-8", initiate(Initiate{Key: "k\xff"}), "InvalidObjectName", 400, ""},
		{"InitiateMultipartUpload", "a newer version made the bucket, with new rules", initiateNewer(index.Bucket{Rules: "newer", Dedup: "store"}), "NotImplemented", 501, ""},
		{"InitiateMultipartUpload", "a newer version made the bucket, with a new dedup scope", initiateNewer(index.Bucket{Rules: "OSS", Dedup: "newer"}), "NotImplemented", 501, ""},

		// What Initiate is told about the object.
		{"InitiateMultipartUpload", "an unknown storage class", initiate(Initiate{Attributes: Attributes{StorageClass: "GLACIER"}}), "InvalidArgument", 400, ""},
		{"InitiateMultipartUpload", "metadata over 8 KiB", initiate(Initiate{Attributes: Attributes{Metadata: map[string]string{"a": strings.Repeat("v", 8<<10)}}}), "InvalidArgument", 400, ""},
		{"InitiateMultipartUpload", "a name of metadata with another sign than -", initiate(Initiate{Attributes: Attributes{Metadata: map[string]string{"a_b": "v"}}}), "InvalidArgument", 400, ""},
		{"InitiateMultipartUpload", "an empty name of metadata", initiate(Initiate{Attributes: Attributes{Metadata: map[string]string{"": "v"}}}), "InvalidArgument", 400, ""},
		{"InitiateMultipartUpload", "names of metadata that differ in case", initiate(Initiate{Attributes: Attributes{Metadata: map[string]string{"a": "v", "A": "w"}}}), "InvalidArgument", 400, ""},
		{"InitiateMultipartUpload", "metadata of two lines", initiate(Initiate{Attributes: Attributes{Metadata: map[string]string{"a": "v\nw"}}}), "InvalidArgument", 400, ""},
		{"InitiateMultipartUpload", "a header of two lines", initiate(Initiate{Attributes: Attributes{ContentType: "text/plain\r\nX: y"}}), "InvalidArgument", 400, ""},
		{"InitiateMultipartUpload", "a Content-Language of two lines", initiate(Initiate{Attributes: Attributes{ContentLanguage: "de\nen"}}), "InvalidArgument", 400, ""},
		{"InitiateMultipartUpload", "a redirect to nowhere", initiate(Initiate{Attributes: Attributes{WebsiteRedirect: "elsewhere"}}), "InvalidRedirectLocation", 400, ""},
		{"InitiateMultipartUpload", "a redirect of over 2 KiB", initiate(Initiate{Attributes: Attributes{WebsiteRedirect: "/" + strings.Repeat("e", 2<<10)}}), "InvalidRedirectLocation", 400, ""},
		{"InitiateMultipartUpload", "annotations over 8 KiB", initiate(Initiate{Attributes: Attributes{Annotations: map[string]string{"a": strings.Repeat("v", 8<<10)}}}), "InvalidArgument", 400, ""},
		{"InitiateMultipartUpload", "11 tags", initiate(Initiate{Attributes: Attributes{Tags: manyTags(11)}}), "BadRequest", 400, ""},
		{"InitiateMultipartUpload", "a tag without key", initiate(Initiate{Attributes: Attributes{Tags: map[string]string{"": "v"}}}), "InvalidTag", 400, "0010-00000216"},
		{"InitiateMultipartUpload", "a tag's key of 129 bytes", initiate(Initiate{Attributes: Attributes{Tags: map[string]string{strings.Repeat("k", 129): "v"}}}), "InvalidTag", 400, "0010-00000216"},
		{"InitiateMultipartUpload", "a tag's value of 257 bytes", initiate(Initiate{Attributes: Attributes{Tags: map[string]string{"k": strings.Repeat("v", 257)}}}), "InvalidTag", 400, "0010-00000216"},
		{"InitiateMultipartUpload", "a tag's key with another sign than + - = . _ : /", initiate(Initiate{Attributes: Attributes{Tags: map[string]string{"a@b": "v"}}}), "InvalidTag", 400, "0010-00000216"},
		{"InitiateMultipartUpload", "a tag's value with a space that is not ASCII's", initiate(Initiate{Attributes: Attributes{Tags: map[string]string{"k": "a\u00a0b"}}}), "InvalidTag", 400, "0010-00000216"},
		{"InitiateMultipartUpload", "a tag's value of two lines", initiate(Initiate{Attributes: Attributes{Tags: map[string]string{"k": "v\nw"}}}), "InvalidTag", 400, "0010-00000216"},
		{"InitiateMultipartUpload", "ForbidOverwrite, and the object exists", initiate(Initiate{Key: "there", ForbidOverwrite: true}), "FileAlreadyExists", 409, ""},

		// Encryption.
		{"InitiateMultipartUpload", "an unknown algorithm", initiate(Initiate{EncryptionRequest: Encrypted{ServerSideEncryption: "ROT13"}}), "InvalidEncryptionAlgorithmError", 400, ""},
		{"InitiateMultipartUpload", "SM4, which is not built in", initiate(Initiate{EncryptionRequest: Encrypted{ServerSideEncryption: "SM4"}}), "InvalidEncryptionAlgorithmError", 400, ""},
		{"InitiateMultipartUpload", "a key id with AES256", initiate(Initiate{EncryptionRequest: Encrypted{ServerSideEncryption: "AES256", ServerSideEncryptionKeyID: "id"}}), "InvalidArgument", 400, ""},
		{"InitiateMultipartUpload", "a key id of 4097 bytes", initiate(kms(strings.Repeat("k", 4097))), "InvalidArgument", 400, ""},
		{"InitiateMultipartUpload", "a key id of two lines", initiate(kms("two\nlines")), "InvalidArgument", 400, ""},
		{"InitiateMultipartUpload", "a key id without encryption", initiate(Initiate{EncryptionRequest: Encrypted{ServerSideEncryptionKeyID: "id"}}), "InvalidArgument", 400, ""},
		{"InitiateMultipartUpload", "an unknown key", initiate(kms("unknown")), "KeyNotFound", 404, ""},
		{"InitiateMultipartUpload", "a disabled key", initiate(kms("disabled")), "KeyDisabled", 409, ""},
		{"InitiateMultipartUpload", "a key that awaits its deletion", initiate(kms("awaits deletion")), "KeyPendingDeletion", 409, ""},
		{"InitiateMultipartUpload", "a key that awaits its import", initiate(kms("awaits import")), "KeyPendingImport", 409, ""},
		{"InitiateMultipartUpload", "a key of somebody else", initiate(kms("of somebody else")), "AccessDenied", 403, ""},
		{"InitiateMultipartUpload", "AES256 without a key provider", initiateKeyless("AES256"), "KmsServiceNotEnabled", 403, ""},
		{"InitiateMultipartUpload", "KMS without a key provider", initiateKeyless("KMS"), "KmsServiceNotEnabled", 403, ""},
		{"PutObject", "an unknown algorithm", putObject(Put{EncryptionRequest: Encrypted{ServerSideEncryption: "ROT13"}}), "InvalidEncryptionAlgorithmError", 400, ""},
		{"PutObject", "a disabled key", putObject(Put{EncryptionRequest: Encrypted{ServerSideEncryption: "KMS", ServerSideEncryptionKeyID: "disabled"}}), "KeyDisabled", 409, ""},
		{"CopyObject", "an unknown algorithm", copyObject(Copy{EncryptionRequest: Encrypted{ServerSideEncryption: "ROT13"}}), "InvalidEncryptionAlgorithmError", 400, ""},
		{"CopyObject", "a disabled key", copyObject(Copy{EncryptionRequest: Encrypted{ServerSideEncryption: "KMS", ServerSideEncryptionKeyID: "disabled"}}), "KeyDisabled", 409, ""},

		// Sequential uploads. This one has parts 1 and 2.
		{"UploadPart", "not the next one of a sequential upload", part(Part{UploadID: "sequential", PartNumber: 4}), "PartNotSequential", 400, ""},
		{"UploadPart", "the last one of a sequential upload again", part(Part{UploadID: "sequential", PartNumber: 2}), "PartAlreadyExist", 409, "0042-00000108"},
		{"UploadPart", "the first one of a sequential upload again", part(Part{UploadID: "sequential", PartNumber: 1}), "PartAlreadyExist", 409, "0042-00000108"},
		{"UploadPartCopy", "not the next one of a sequential upload", partCopy(PartCopy{UploadID: "sequential", PartNumber: 4}), "PartNotSequential", 400, ""},
		{"UploadPartCopy", "one of a sequential upload again", partCopy(PartCopy{UploadID: "sequential", PartNumber: 2}), "PartAlreadyExist", 409, "0042-00000108"},

		// Parts.
		{"UploadPart", "no such bucket", part(Part{Bucket: "absent", UploadID: "open", PartNumber: 1}), "NoSuchBucket", 404, "0015-00000101"},
		{"UploadPart", "an unknown upload id", part(Part{UploadID: "unknown", PartNumber: 1}), "NoSuchUpload", 404, "0042-00000104"},
		{"UploadPart", "a malformed upload id", part(Part{UploadID: "malformed", PartNumber: 1}), "NoSuchUpload", 404, "0042-00000104"},
		{"UploadPart", "no upload id", part(Part{PartNumber: 1}), "NoSuchUpload", 404, "0042-00000104"},
		{"UploadPart", "the upload id in lower case", part(Part{UploadID: "in lower case", PartNumber: 1}), "NoSuchUpload", 404, "0042-00000104"},
		{"UploadPart", "the upload was aborted", part(Part{UploadID: "aborted", PartNumber: 1}), "NoSuchUpload", 404, "0042-00000104"},
		{"UploadPart", "the upload was completed", part(Part{UploadID: "completed", PartNumber: 1}), "NoSuchUpload", 404, "0042-00000104"},
		{"UploadPart", "an upload of another key", part(Part{UploadID: "of another key", PartNumber: 1}), "NoSuchUpload", 404, "0042-00000104"},
		{"UploadPart", "an upload of another bucket", part(Part{UploadID: "of another bucket", PartNumber: 1}), "NoSuchUpload", 404, "0042-00000104"},
		{"UploadPart", "number 0", part(Part{UploadID: "open", PartNumber: 0}), "InvalidArgument", 400, "0017-00000220"},
		{"UploadPart", "number -1", part(Part{UploadID: "open", PartNumber: -1}), "InvalidArgument", 400, "0017-00000220"},
		{"UploadPart", "number 10001", part(Part{UploadID: "open", PartNumber: 10001}), "InvalidArgument", 400, "0017-00000220"},
		{"UploadPart", "number 65537", part(Part{UploadID: "open", PartNumber: 65537}), "InvalidArgument", 400, "0017-00000220"},
		{"UploadPart", "Content-MD5 is not base64", part(Part{UploadID: "open", PartNumber: 1, ContentMD5: "!"}), "InvalidDigest", 400, "0017-00000502"},
		{"UploadPart", "Content-MD5 is too short", part(Part{UploadID: "open", PartNumber: 1, ContentMD5: "AAAA"}), "InvalidDigest", 400, "0017-00000502"},
		{"UploadPart", "Content-MD5 in hex", part(Part{UploadID: "open", PartNumber: 1, ContentMD5: emptyMD5}), "InvalidDigest", 400, "0017-00000502"},
		{"UploadPart", "Content-MD5 of another body", part(Part{UploadID: "open", PartNumber: 1, Body: body("x"), ContentMD5: base64MD5(nil)}), "InvalidDigest", 400, "0017-00000503"},
		{"UploadPart", "CRC-64 of another body", part(Part{UploadID: "open", PartNumber: 1, Body: body("x"), CRC64: &crc}), "InvalidCRC64", 400, ""},
		{"UploadPart", "the body is shorter than said", part(Part{UploadID: "open", PartNumber: 1, Body: body("four"), Size: 5}), "IncompleteBody", 400, ""},
		{"UploadPart", "the body is longer than said", part(Part{UploadID: "open", PartNumber: 1, Body: body("four"), Size: 3}), "InvalidArgument", 400, ""},
		{"UploadPart", "the body is not empty as said", part(Part{UploadID: "open", PartNumber: 1, Body: body("four"), Size: engine.EmptyBody}), "InvalidArgument", 400, ""},
		{"UploadPart", "over 5 GiB", part(Part{UploadID: "open", PartNumber: 1, Size: 5<<30 + 1}), "EntityTooLarge", 400, ""},
		{"UploadPart", "a negative size", part(Part{UploadID: "open", PartNumber: 1, Size: -1}), "InvalidArgument", 400, ""},
		{"UploadPart", "the body fails at once", part(Part{UploadID: "open", PartNumber: 1, Body: failing("", io.ErrClosedPipe)}), "IncompleteBody", 400, ""},
		{"UploadPart", "the body fails midway", part(Part{UploadID: "open", PartNumber: 1, Body: failing("some", io.ErrClosedPipe)}), "IncompleteBody", 400, ""},
		{"UploadPart", "the body does not arrive in time", partCutOff, "RequestTimeout", 400, ""},

		// Copied parts. The conditions are on the source.
		{"UploadPartCopy", "no such bucket", partCopy(PartCopy{Bucket: "absent"}), "NoSuchBucket", 404, "0015-00000101"},
		{"UploadPartCopy", "an unknown upload id", partCopy(PartCopy{UploadID: "unknown"}), "NoSuchUpload", 404, "0042-00000311"},
		{"UploadPartCopy", "a malformed upload id", partCopy(PartCopy{UploadID: "malformed"}), "NoSuchUpload", 404, "0042-00000311"},
		{"UploadPartCopy", "the upload was aborted", partCopy(PartCopy{UploadID: "aborted"}), "NoSuchUpload", 404, "0042-00000311"},
		{"UploadPartCopy", "the upload was completed", partCopy(PartCopy{UploadID: "completed"}), "NoSuchUpload", 404, "0042-00000311"},
		{"UploadPartCopy", "number 10001", partCopy(PartCopy{PartNumber: 10001}), "InvalidArgument", 400, "0017-00000220"},
		{"UploadPartCopy", "no source bucket", partCopy(PartCopy{SourceKey: "there"}), "InvalidArgument", 400, "0042-00000302"},
		{"UploadPartCopy", "no source key", call((*engine.Engine).UploadPartCopy, PartCopy{Bucket: "bucket", Key: "key", PartNumber: 1, SourceBucket: "bucket"}), "InvalidArgument", 400, "0042-00000302"},
		{"UploadPartCopy", "the source's bucket does not exist", partCopy(PartCopy{SourceBucket: "absent"}), "NoSuchBucket", 404, "0015-00000101"},
		{"UploadPartCopy", "the source does not exist", partCopy(PartCopy{SourceBucket: "bucket", SourceKey: "absent"}), "NoSuchKey", 404, "0026-00000001"},
		{"UploadPartCopy", "IfMatch another", partCopy(PartCopy{Conditions: When{IfMatch: emptyMD5}}), "PreconditionFailed", 412, ""},
		{"UploadPartCopy", "IfUnmodifiedSince before", partCopy(PartCopy{Conditions: When{IfUnmodifiedSince: before}}), "PreconditionFailed", 412, ""},
		{"UploadPartCopy", "IfNoneMatch the source's", partCopy(PartCopy{Conditions: When{IfNoneMatch: etag}}), "NotModified", 304, ""},
		{"UploadPartCopy", "IfModifiedSince the same time", partCopy(PartCopy{Conditions: When{IfModifiedSince: made}}), "NotModified", 304, ""},

		// The list of parts, and what it may replace. Each of these leaves the upload usable.
		{"CompleteMultipartUpload", "no such bucket", complete(Complete{Bucket: "absent", UploadID: "open", All: true}), "NoSuchBucket", 404, "0015-00000101"},
		{"CompleteMultipartUpload", "an unknown upload id", complete(Complete{UploadID: "unknown", All: true}), "NoSuchUpload", 404, "0042-00000203"},
		{"CompleteMultipartUpload", "a malformed upload id", complete(Complete{UploadID: "malformed", All: true}), "NoSuchUpload", 404, "0042-00000203"},
		{"CompleteMultipartUpload", "the upload was aborted", complete(Complete{UploadID: "aborted", All: true}), "NoSuchUpload", 404, "0042-00000203"},
		{"CompleteMultipartUpload", "the upload was completed, with the same list", complete(Complete{UploadID: "completed"}, 1), "NoSuchUpload", 404, "0042-00000203"},
		{"CompleteMultipartUpload", "an upload of another key", complete(Complete{UploadID: "of another key", All: true}), "NoSuchUpload", 404, "0042-00000203"},
		{"CompleteMultipartUpload", "the upload comes before the parts", complete(Complete{UploadID: "unknown", Parts: wrong}), "NoSuchUpload", 404, "0042-00000203"},
		{"CompleteMultipartUpload", "the upload comes before list and All", complete(Complete{UploadID: "unknown", All: true, Parts: wrong}), "NoSuchUpload", 404, "0042-00000203"},
		{"CompleteMultipartUpload", "list and All", complete(Complete{UploadID: "open", All: true}, 1), "InvalidArgument", 400, "0042-00000216"},
		{"CompleteMultipartUpload", "an empty list, but there are parts", complete(Complete{UploadID: "open"}), "MalformedXML", 400, "0042-00000205"},
		{"CompleteMultipartUpload", "descending", complete(Complete{UploadID: "open"}, 4, 1), "InvalidPartOrder", 400, "0042-00000209"},
		{"CompleteMultipartUpload", "twice the same", complete(Complete{UploadID: "open"}, 1, 1), "InvalidPartOrder", 400, "0042-00000209"},
		{"CompleteMultipartUpload", "number 0", complete(Complete{UploadID: "open", Parts: numbered(0)}), "InvalidPartOrder", 400, "0042-00000209"},
		{"CompleteMultipartUpload", "number 10001", complete(Complete{UploadID: "open", Parts: numbered(10001)}), "InvalidPartOrder", 400, "0042-00000209"},
		{"CompleteMultipartUpload", "a part was never uploaded", complete(Complete{UploadID: "open"}, 1, 3), "InvalidPart", 400, ""},
		{"CompleteMultipartUpload", "the last part was never uploaded", complete(Complete{UploadID: "open"}, 1, 4, 5), "InvalidPart", 400, ""},
		{"CompleteMultipartUpload", "a wrong ETag", complete(Complete{UploadID: "open", Parts: wrong}), "InvalidPart", 400, ""},
		{"CompleteMultipartUpload", "no ETag", complete(Complete{UploadID: "open", Parts: []engine.CompletedPart{{PartNumber: 1}}}), "InvalidPart", 400, ""},
		{"CompleteMultipartUpload", "one byte less than 100 KiB, not the last", complete(Complete{UploadID: "open"}, 1, 2, 4), "EntityTooSmall", 400, "0042-00000213"},
		{"CompleteMultipartUpload", "a small part among all", complete(Complete{UploadID: "open", All: true}), "EntityTooSmall", 400, "0042-00000213"},
		{"CompleteMultipartUpload", "ForbidOverwrite, and the object exists", complete(Complete{Key: "there", UploadID: "overwriting", Preconditions: If{ForbidOverwrite: true}}, 2), "FileAlreadyExists", 409, "0042-00000214"},
		{"CompleteMultipartUpload", "order comes before ETags", complete(Complete{UploadID: "open", Parts: wrong}, 1), "InvalidPartOrder", 400, "0042-00000209"},
		{"CompleteMultipartUpload", "ETags come before sizes", complete(Complete{UploadID: "open"}, 2, 3, 4), "InvalidPart", 400, ""},
		{"CompleteMultipartUpload", "sizes come before the object", complete(Complete{Key: "there", UploadID: "overwriting", Preconditions: If{ForbidOverwrite: true}}, 1, 2), "EntityTooSmall", 400, "0042-00000213"},
		{"CompleteMultipartUpload", "IfMatch another", complete(Complete{Key: "there", UploadID: "overwriting", Preconditions: If{IfMatch: emptyMD5}}, 2), "PreconditionFailed", 412, ""},
		{"CompleteMultipartUpload", "IfMatch, and there is no object", complete(Complete{UploadID: "open", Preconditions: If{IfMatch: emptyMD5}}, 1), "NoSuchKey", 404, "0026-00000001"},
		{"CompleteMultipartUpload", "IfNoneMatch *, and the object exists", complete(Complete{Key: "there", UploadID: "overwriting", Preconditions: If{IfNoneMatch: "*"}}, 2), "PreconditionFailed", 412, ""},
		{"CompleteMultipartUpload", "sizes come before IfNoneMatch", complete(Complete{Key: "there", UploadID: "overwriting", Preconditions: If{IfNoneMatch: "*"}}, 1, 2), "EntityTooSmall", 400, "0042-00000213"},
		{"CompleteMultipartUpload", "IfNoneMatch an ETag", complete(Complete{UploadID: "open", Preconditions: If{IfNoneMatch: emptyMD5}}, 1), "NotImplemented", 501, ""},

		// Abort.
		{"AbortMultipartUpload", "no such bucket", abortIn("absent", "open"), "NoSuchBucket", 404, "0015-00000101"},
		{"AbortMultipartUpload", "an unknown upload id", abort("unknown"), "NoSuchUpload", 404, "0042-00000002"},
		{"AbortMultipartUpload", "a malformed upload id", abort("malformed"), "NoSuchUpload", 404, "0042-00000002"},
		{"AbortMultipartUpload", "the upload was aborted", abort("aborted"), "NoSuchUpload", 404, "0042-00000002"},
		{"AbortMultipartUpload", "the upload was completed", abort("completed"), "NoSuchUpload", 404, "0042-00000002"},
		{"AbortMultipartUpload", "an upload of another key", abort("of another key"), "NoSuchUpload", 404, "0042-00000002"},

		// All of that in one call. It leaves no upload.
		{"Upload", "no such bucket", call((*engine.Engine).Upload, Whole{Bucket: "absent", Key: "new"}), "NoSuchBucket", 404, "0015-00000101"},
		{"Upload", "over 10000 times 5 GiB", call((*engine.Engine).Upload, Whole{Bucket: "bucket", Key: "new", Size: 10000*5<<30 + 1}), "EntityTooLarge", 400, ""},
		{"Upload", "parts of less than 100 KiB", call((*engine.Engine).Upload, Whole{Bucket: "bucket", Key: "new", PartSize: 100<<10 - 1}), "InvalidArgument", 400, ""},
		{"Upload", "parts of more than 5 GiB", call((*engine.Engine).Upload, Whole{Bucket: "bucket", Key: "new", PartSize: 5<<30 + 1}), "InvalidArgument", 400, ""},
		{"Upload", "the body fails midway", call((*engine.Engine).Upload, Whole{Bucket: "bucket", Key: "new", Body: failing("some", io.ErrClosedPipe)}), "IncompleteBody", 400, ""},
		{"Upload", "ForbidOverwrite, and the object exists", call((*engine.Engine).Upload, Whole{Bucket: "bucket", Key: "there", Preconditions: If{ForbidOverwrite: true}}), "FileAlreadyExists", 409, ""},
		{"Upload", "S3: parts of less than 5 MiB", call((*engine.Engine).Upload, Whole{Bucket: "s3-bucket", Key: "new", PartSize: 5<<20 - 1}), "InvalidArgument", 400, ""},

		// Listings.
		{"ListMultipartUploads", "no such bucket", call((*engine.Engine).ListMultipartUploads, Uploads{Bucket: "absent"}), "NoSuchBucket", 404, "0015-00000101"},
		{"ListMultipartUploads", "1001 uploads a page", call((*engine.Engine).ListMultipartUploads, Uploads{Bucket: "bucket", MaxUploads: 1001}), "InvalidArgument", 400, ""},
		{"ListMultipartUploads", "-1 uploads a page", call((*engine.Engine).ListMultipartUploads, Uploads{Bucket: "bucket", MaxUploads: -1}), "InvalidArgument", 400, ""},
		{"ListParts", "no such bucket", listParts(List{Bucket: "absent", UploadID: "open"}), "NoSuchBucket", 404, "0015-00000101"},
		{"ListParts", "an unknown upload id", listParts(List{UploadID: "unknown"}), "NoSuchUpload", 404, "0042-00000002"},
		{"ListParts", "a malformed upload id", listParts(List{UploadID: "malformed"}), "NoSuchUpload", 404, "0042-00000002"},
		{"ListParts", "the upload was aborted", listParts(List{UploadID: "aborted"}), "NoSuchUpload", 404, "0042-00000002"},
		{"ListParts", "the upload was completed", listParts(List{UploadID: "completed"}), "NoSuchUpload", 404, "0042-00000002"},
		{"ListParts", "an upload of another key", listParts(List{UploadID: "of another key"}), "NoSuchUpload", 404, "0042-00000002"},
		{"ListParts", "1001 parts a page", listParts(List{UploadID: "open", MaxParts: 1001}), "InvalidArgument", 400, ""},
		{"ListParts", "-1 parts a page", listParts(List{UploadID: "open", MaxParts: -1}), "InvalidArgument", 400, ""},
		{"ListParts", "marker -1", listParts(List{UploadID: "open", PartNumberMarker: -1}), "InvalidArgument", 400, ""},
		{"ListObjects", "no such bucket", call((*engine.Engine).ListObjects, engine.ListObjectsRequest{Bucket: "absent"}), "NoSuchBucket", 404, "0015-00000101"},
		{"ListObjects", "1001 keys a page", call((*engine.Engine).ListObjects, engine.ListObjectsRequest{Bucket: "bucket", MaxKeys: 1001}), "InvalidArgument", 400, ""},
		{"ListObjects", "-1 keys a page", call((*engine.Engine).ListObjects, engine.ListObjectsRequest{Bucket: "bucket", MaxKeys: -1}), "InvalidArgument", 400, ""},

		// Reading.
		{"GetObject", "no such bucket", getObject(Get{Bucket: "absent"}), "NoSuchBucket", 404, "0015-00000101"},
		{"GetObject", "no such object", getObject(Get{Key: "absent"}), "NoSuchKey", 404, "0026-00000001"},
		{"GetObject", "parts that are not completed", getObject(Get{Key: "key"}), "NoSuchKey", 404, "0026-00000001"},
		{"GetObject", "a standard range behind the end", getObject(Get{Range: "bytes=7-", RangeBehavior: "standard"}), "InvalidRange", 416, ""},
		{"GetObject", "the last 0 bytes by a standard range", getObject(Get{Range: "bytes=-0", RangeBehavior: "standard"}), "InvalidRange", 416, ""},
		{"GetObject", "the last 0 bytes", getObject(Get{Range: "bytes=-0"}), "InvalidRange", 416, ""},
		{"GetObject", "another range behavior than standard", getObject(Get{Range: "bytes=0-1", RangeBehavior: "odd"}), "InvalidArgument", 400, ""},
		{"GetObject", "a part that the object does not have", getObject(Get{PartNumber: 2}), "InvalidPartNumber", 416, ""},
		{"GetObject", "part 0", getObject(Get{PartNumber: engine.Zero}), "InvalidArgument", 400, "0017-00000220"},
		{"GetObject", "part 10001", getObject(Get{PartNumber: 10001}), "InvalidArgument", 400, "0017-00000220"},
		{"GetObject", "a part and a range", getObject(Get{PartNumber: 1, Range: "bytes=0-1"}), "InvalidRequest", 400, ""},
		{"GetObject", "IfMatch another", getObject(Get{Conditions: When{IfMatch: emptyMD5}}), "PreconditionFailed", 412, ""},
		{"GetObject", "IfUnmodifiedSince before", getObject(Get{Conditions: When{IfUnmodifiedSince: before}}), "PreconditionFailed", 412, ""},
		{"GetObject", "IfNoneMatch the object's", getObject(Get{Conditions: When{IfNoneMatch: etag}}), "NotModified", 304, ""},
		{"GetObject", "IfModifiedSince the same time", getObject(Get{Conditions: When{IfModifiedSince: made}}), "NotModified", 304, ""},
		{"GetObject", "IfMatch holds, IfNoneMatch does not", getObject(Get{Conditions: When{IfMatch: etag, IfNoneMatch: etag}}), "NotModified", 304, ""},
		{"GetObject", "IfUnmodifiedSince holds, IfModifiedSince does not", getObject(Get{Conditions: When{IfUnmodifiedSince: made, IfModifiedSince: made}}), "NotModified", 304, ""},
		{"GetObject", "conditions come before ranges", getObject(Get{Range: "bytes=7-", RangeBehavior: "standard", Conditions: When{IfMatch: emptyMD5}}), "PreconditionFailed", 412, ""},
		{"GetObject", "the disk gives back something else", getDamaged, "InternalError", 500, ""},
		{"HeadObject", "a standard range behind the end", headObject(Head{Range: "bytes=7-", RangeBehavior: "standard"}), "InvalidRange", 416, ""},
		{"HeadObject", "a part that the object does not have", headObject(Head{PartNumber: 2}), "InvalidPartNumber", 416, ""},
		{"HeadObject", "part 0", headObject(Head{PartNumber: engine.Zero}), "InvalidArgument", 400, "0017-00000220"},
		{"HeadObject", "a part and a range", headObject(Head{PartNumber: 1, Range: "bytes=0-1"}), "InvalidRequest", 400, ""},
		{"HeadObject", "a part, and IfMatch another", headObject(Head{PartNumber: 1, Conditions: When{IfMatch: emptyMD5}}), "PreconditionFailed", 412, ""},
		{"ListObjectParts", "no such object", call((*engine.Engine).ListObjectParts, ObjectParts{Bucket: "bucket", Key: "absent"}), "NoSuchKey", 404, "0026-00000001"},
		{"ListObjectParts", "marker -1", call((*engine.Engine).ListObjectParts, ObjectParts{Bucket: "bucket", Key: "there", PartNumberMarker: -1}), "InvalidArgument", 400, ""},
		{"ListObjectParts", "1001 parts a page", call((*engine.Engine).ListObjectParts, ObjectParts{Bucket: "bucket", Key: "there", MaxParts: 1001}), "InvalidArgument", 400, ""},
		{"ListObjectParts", "without the client's key", call((*engine.Engine).ListObjectParts, ObjectParts{Bucket: "bucket", Key: "of a client"}), "InvalidRequest", 400, ""},
		{"HeadObject", "no such bucket", headObject(Head{Bucket: "absent"}), "NoSuchBucket", 404, "0015-00000101"},
		{"HeadObject", "no such object", headObject(Head{Key: "absent"}), "NoSuchKey", 404, "0026-00000001"},
		{"HeadObject", "IfMatch another", headObject(Head{Conditions: When{IfMatch: emptyMD5}}), "PreconditionFailed", 412, ""},
		{"HeadObject", "IfUnmodifiedSince before", headObject(Head{Conditions: When{IfUnmodifiedSince: before}}), "PreconditionFailed", 412, ""},
		{"HeadObject", "IfMatch the object's as a weak tag", headObject(Head{Conditions: When{IfMatch: `W/"` + etag + `"`}}), "PreconditionFailed", 412, ""},
		{"HeadObject", "IfNoneMatch the object's as a weak tag", headObject(Head{Conditions: When{IfNoneMatch: `W/"` + etag + `"`}}), "NotModified", 304, ""},
		{"HeadObject", "IfNoneMatch a list with the object's", headObject(Head{Conditions: When{IfNoneMatch: `"5", "` + etag + `"`}}), "NotModified", 304, ""},
		{"HeadObject", "IfNoneMatch *", headObject(Head{Conditions: When{IfNoneMatch: "*"}}), "NotModified", 304, ""},
		{"HeadObject", "IfModifiedSince the same time", headObject(Head{Conditions: When{IfModifiedSince: made}}), "NotModified", 304, ""},

		// PutObject.
		{"PutObject", "no such bucket", putObject(Put{Bucket: "absent"}), "NoSuchBucket", 404, "0015-00000101"},
		{"PutObject", "the key begins with /", putObject(Put{Key: "/key"}), "InvalidObjectName", 400, ""},
		{"PutObject", "over 5 GiB", putObject(Put{Size: 5<<30 + 1}), "InvalidArgument", 400, ""},
		{"PutObject", "Content-MD5 is too short", putObject(Put{ContentMD5: "AAAA"}), "InvalidDigest", 400, "0017-00000502"},
		{"PutObject", "Content-MD5 of another body", putObject(Put{Body: body("x"), ContentMD5: base64MD5(nil)}), "InvalidDigest", 400, "0017-00000503"},
		{"PutObject", "CRC-64 of another body", putObject(Put{Body: body("x"), CRC64: &crc}), "InvalidCRC64", 400, ""},
		{"PutObject", "the body is shorter than said", putObject(Put{Body: body("four"), Size: 5}), "IncompleteBody", 400, ""},
		{"PutObject", "the body is longer than said", putObject(Put{Body: body("four"), Size: 3}), "InvalidArgument", 400, ""},
		{"PutObject", "metadata over 8 KiB", putObject(Put{Attributes: Attributes{Metadata: map[string]string{"a": strings.Repeat("v", 8<<10)}}}), "InvalidArgument", 400, ""},
		{"PutObject", "ForbidOverwrite, and the object exists", putObject(Put{Preconditions: If{ForbidOverwrite: true}}), "FileAlreadyExists", 409, ""},
		{"PutObject", "IfNoneMatch *, and the object exists", putObject(Put{Preconditions: If{IfNoneMatch: "*"}}), "PreconditionFailed", 412, ""},
		{"PutObject", "IfNoneMatch an ETag", putObject(Put{Preconditions: If{IfNoneMatch: emptyMD5}}), "NotImplemented", 501, ""},
		{"PutObject", "IfMatch another", putObject(Put{Preconditions: If{IfMatch: emptyMD5}}), "PreconditionFailed", 412, ""},
		{"PutObject", "IfMatch, and there is no object", putObject(Put{Key: "absent", Preconditions: If{IfMatch: emptyMD5}}), "NoSuchKey", 404, "0026-00000001"},

		// CopyObject. The conditions are on the source.
		{"CopyObject", "no such bucket", copyObject(Copy{Bucket: "absent"}), "NoSuchBucket", 404, "0015-00000101"},
		{"CopyObject", "no source bucket", copyObject(Copy{SourceKey: "there"}), "InvalidArgument", 400, "0042-00000302"},
		{"CopyObject", "the source's bucket does not exist", copyObject(Copy{SourceBucket: "absent"}), "NoSuchBucket", 404, "0015-00000101"},
		{"CopyObject", "the source does not exist", copyObject(Copy{SourceBucket: "bucket", SourceKey: "absent"}), "NoSuchKey", 404, "0026-00000001"},
		{"CopyObject", "another directive than COPY and REPLACE", copyObject(Copy{MetadataDirective: "MOVE"}), "InvalidArgument", 400, ""},
		{"CopyObject", "an unknown checksum", copyObject(Copy{ChecksumAlgorithm: "MD4"}), "InvalidRequest", 400, ""},
		{"CopyObject", "ForbidOverwrite, and the object exists", copyObject(Copy{Key: "put", ForbidOverwrite: true}), "FileAlreadyExists", 409, ""},
		{"CopyObject", "IfMatch another", copyObject(Copy{Conditions: When{IfMatch: emptyMD5}}), "PreconditionFailed", 412, ""},
		{"CopyObject", "IfUnmodifiedSince before", copyObject(Copy{Conditions: When{IfUnmodifiedSince: before}}), "PreconditionFailed", 412, ""},
		{"CopyObject", "IfNoneMatch the source's", copyObject(Copy{Conditions: When{IfNoneMatch: etag}}), "NotModified", 304, ""},
		{"CopyObject", "IfModifiedSince the same time", copyObject(Copy{Conditions: When{IfModifiedSince: made}}), "NotModified", 304, ""},

		// Tags and annotations in place.
		{"PutObjectTagging", "no such bucket", call((*engine.Engine).PutObjectTagging, Tag{Bucket: "absent", Key: "there"}), "NoSuchBucket", 404, "0015-00000101"},
		{"PutObjectTagging", "no such object", call((*engine.Engine).PutObjectTagging, Tag{Bucket: "bucket", Key: "absent"}), "NoSuchKey", 404, "0026-00000001"},
		{"PutObjectTagging", "11 tags", call((*engine.Engine).PutObjectTagging, Tag{Bucket: "bucket", Key: "there", Tags: manyTags(11)}), "BadRequest", 400, ""},
		{"PutObjectTagging", "a tag with another sign than + - = . _ : /", call((*engine.Engine).PutObjectTagging, Tag{Bucket: "bucket", Key: "there", Tags: map[string]string{"a": "b&c"}}), "InvalidTag", 400, "0010-00000216"},
		{"PutObjectTagging", "without the client's key", call((*engine.Engine).PutObjectTagging, Tag{Bucket: "bucket", Key: "of a client"}), "InvalidRequest", 400, ""},
		{"PutObjectTagging", "with another client's key", call((*engine.Engine).PutObjectTagging, Tag{Bucket: "bucket", Key: "of a client", SSECustomerKey: anotherKey}), "AccessDenied", 403, ""},
		{"GetObjectTagging", "no such object", call((*engine.Engine).GetObjectTagging, engine.GetObjectTaggingRequest{Bucket: "bucket", Key: "absent"}), "NoSuchKey", 404, "0026-00000001"},
		{"DeleteObjectTagging", "no such object", call((*engine.Engine).DeleteObjectTagging, engine.DeleteObjectTaggingRequest{Bucket: "bucket", Key: "absent"}), "NoSuchKey", 404, "0026-00000001"},
		{"PutObjectAnnotations", "no such object", call((*engine.Engine).PutObjectAnnotations, engine.PutObjectAnnotationsRequest{Bucket: "bucket", Key: "absent"}), "NoSuchKey", 404, "0026-00000001"},
		{"PutObjectAnnotations", "over 8 KiB", call((*engine.Engine).PutObjectAnnotations, engine.PutObjectAnnotationsRequest{Bucket: "bucket", Key: "there", Annotations: map[string]string{"a": strings.Repeat("v", 8<<10)}}), "InvalidArgument", 400, ""},

		// Deletion.
		{"DeleteObject", "no such bucket", call((*engine.Engine).DeleteObject, engine.DeleteObjectRequest{Bucket: "absent", Key: "key"}), "NoSuchBucket", 404, "0015-00000101"},
		{"DeleteObject", "the key begins with /", call((*engine.Engine).DeleteObject, engine.DeleteObjectRequest{Bucket: "bucket", Key: "/key"}), "InvalidObjectName", 400, ""},
		{"DeleteObject", "IfMatch another", call((*engine.Engine).DeleteObject, Delete{Bucket: "bucket", Key: "there", IfMatch: emptyMD5}), "PreconditionFailed", 412, ""},
		{"DeleteObjects", "no such bucket", call((*engine.Engine).DeleteObjects, DeleteAll{Bucket: "absent", Keys: []string{"there"}}), "NoSuchBucket", 404, "0015-00000101"},
		{"DeleteObjects", "no keys", call((*engine.Engine).DeleteObjects, DeleteAll{Bucket: "bucket"}), "MalformedXML", 400, "0016-00000608"},
		{"DeleteObjects", "IfMatch of some of the keys", call((*engine.Engine).DeleteObjects, DeleteAll{Bucket: "bucket", Keys: []string{"there", "put"}, IfMatch: []string{emptyMD5}}), "InvalidRequest", 400, ""},
		{"DeleteObjects", "1001 keys", call((*engine.Engine).DeleteObjects, DeleteAll{Bucket: "bucket", Keys: slices.Repeat([]string{"there"}, 1001)}), "MalformedXML", 400, "0016-00000608"},

		// Checksums. They are S3's, but in buckets of any rules.
		{"InitiateMultipartUpload", "an unknown checksum", initiate(Initiate{Checksum: engine.Checksum{Algorithm: "MD4"}}), "InvalidRequest", 400, ""},
		{"InitiateMultipartUpload", "a full SHA256, which parts cannot give", initiate(Initiate{Checksum: engine.Checksum{Algorithm: "SHA256", Type: "FULL_OBJECT"}}), "InvalidRequest", 400, ""},
		{"InitiateMultipartUpload", "a composite CRC64NVME", initiate(Initiate{Checksum: engine.Checksum{Algorithm: "CRC64NVME", Type: "COMPOSITE"}}), "InvalidRequest", 400, ""},
		{"UploadPart", "a checksum of another body", part(Part{UploadID: "open", PartNumber: 1, Body: body("x"), Checksum: sha}), "BadDigest", 400, ""},
		{"UploadPart", "a malformed checksum", part(Part{UploadID: "open", PartNumber: 1, Checksum: engine.Checksum{Algorithm: "SHA256", Value: "AAAA"}}), "InvalidRequest", 400, ""},
		{"UploadPart", "another algorithm than the upload's", part(Part{UploadID: "with SHA256", PartNumber: 1, Checksum: engine.Checksum{Algorithm: "CRC32"}}), "InvalidRequest", 400, ""},
		{"CompleteMultipartUpload", "a wrong checksum of a part", complete(Complete{UploadID: "with SHA256", Parts: []engine.CompletedPart{{PartNumber: 1, ETag: md5ETag(random(1, 1)), Checksum: sha.Value}}}), "InvalidPart", 400, ""},
		{"CompleteMultipartUpload", "another type than the upload's", complete(Complete{UploadID: "with SHA256", Checksum: engine.Checksum{Type: "FULL_OBJECT"}}, 1), "InvalidRequest", 400, ""},
		{"CompleteMultipartUpload", "a part's checksum of another algorithm", complete(Complete{UploadID: "with SHA256", Parts: []engine.CompletedPart{{PartNumber: 1, ETag: md5ETag(random(1, 1)), Checksum: "AAAAAA==", ChecksumAlgorithm: "CRC32"}}}), "BadDigest", 400, ""},
		{"CompleteMultipartUpload", "a part's checksum, of an upload without", complete(Complete{UploadID: "open", Parts: []engine.CompletedPart{{PartNumber: 1, ETag: md5ETag(random(1, 1)), Checksum: "AAAAAA==", ChecksumAlgorithm: "CRC32"}}}), "InvalidPart", 400, ""},
		{"CompleteMultipartUpload", "a checksum of another object", complete(Complete{UploadID: "with SHA256", Checksum: engine.Checksum{Value: sha.Value + "-1"}}, 1), "BadDigest", 400, ""},
		{"CompleteMultipartUpload", "the parts have bytes, and shall have none", complete(Complete{UploadID: "with SHA256", Size: engine.EmptyBody}, 1), "InvalidRequest", 400, ""},
		{"CompleteMultipartUpload", "the parts have another size together", complete(Complete{UploadID: "with SHA256", Size: 2}, 1), "InvalidRequest", 400, ""},
		{"PutObject", "a checksum of another body", putObject(Put{Body: body("x"), Checksum: sha}), "BadDigest", 400, ""},

		// Keys of the client's own. They are S3's, but in buckets of any rules.
		{"InitiateMultipartUpload", "a client's key that is too short", initiate(Initiate{EncryptionRequest: Encrypted{SSECustomerKey: clientKey[1:]}}), "InvalidArgument", 400, ""},
		{"InitiateMultipartUpload", "a client's key and AES256", initiate(Initiate{EncryptionRequest: Encrypted{SSECustomerKey: clientKey, ServerSideEncryption: "AES256"}}), "InvalidArgument", 400, ""},
		{"UploadPart", "without the client's key", part(Part{UploadID: "of a client", PartNumber: 1}), "InvalidRequest", 400, ""},
		{"UploadPart", "with another client's key", part(Part{UploadID: "of a client", PartNumber: 1, SSECustomerKey: anotherKey}), "InvalidRequest", 400, ""},
		{"UploadPart", "with a client's key, and there is none", part(Part{UploadID: "open", PartNumber: 1, SSECustomerKey: clientKey}), "InvalidRequest", 400, ""},
		{"CompleteMultipartUpload", "with another client's key", complete(Complete{UploadID: "of a client", SSECustomerKey: anotherKey}), "InvalidRequest", 400, ""},
		{"CompleteMultipartUpload", "with a client's key, and there is none", complete(Complete{UploadID: "open", SSECustomerKey: clientKey}, 1), "InvalidRequest", 400, ""},
		{"UploadPartCopy", "without the client's key of the source", partCopy(PartCopy{SourceBucket: "bucket", SourceKey: "of a client"}), "InvalidRequest", 400, ""},
		{"CopyObject", "with another client's key for the source", copyObject(Copy{SourceBucket: "bucket", SourceKey: "of a client", SourceSSECustomerKey: anotherKey}), "AccessDenied", 403, ""},
		{"GetObject", "without the client's key", getObject(Get{Key: "of a client"}), "InvalidRequest", 400, ""},
		{"GetObject", "with another client's key", getObject(Get{Key: "of a client", SSECustomerKey: anotherKey}), "AccessDenied", 403, ""},
		{"HeadObject", "without the client's key", headObject(Head{Key: "of a client"}), "InvalidRequest", 400, ""},
		{"HeadObject", "with another client's key", headObject(Head{Key: "of a client", SSECustomerKey: anotherKey}), "AccessDenied", 403, ""},

		// S3's rules.
		{"InitiateMultipartUpload", "S3: the key has 1025 bytes", initiate(Initiate{Bucket: "s3-bucket", Key: strings.Repeat("k", 1025)}), "KeyTooLongError", 400, ""},
		{"InitiateMultipartUpload", "S3: metadata over 2 KiB", initiate(Initiate{Bucket: "s3-bucket", Attributes: Attributes{Metadata: map[string]string{"a": strings.Repeat("v", 2<<10)}}}), "MetadataTooLarge", 400, ""},
		{"InitiateMultipartUpload", "S3: a name of metadata with another sign than - _ .", initiate(Initiate{Bucket: "s3-bucket", Attributes: Attributes{Metadata: map[string]string{"a:b": "v"}}}), "InvalidArgument", 400, ""},
		{"InitiateMultipartUpload", "S3: a storage class of OSS", initiate(Initiate{Bucket: "s3-bucket", Attributes: Attributes{StorageClass: "Standard"}}), "InvalidStorageClass", 400, ""},
		{"InitiateMultipartUpload", "S3: a tag's key of 129 bytes", initiate(Initiate{Bucket: "s3-bucket", Attributes: Attributes{Tags: map[string]string{strings.Repeat("k", 129): "v"}}}), "InvalidTag", 400, "0010-00000216"},
		{"InitiateMultipartUpload", "S3: a tag's value with another sign than + - = . _ : / @", initiate(Initiate{Bucket: "s3-bucket", Attributes: Attributes{Tags: map[string]string{"k": "a&b"}}}), "InvalidTag", 400, "0010-00000216"},
		{"InitiateMultipartUpload", "S3: 11 tags", initiate(Initiate{Bucket: "s3-bucket", Attributes: Attributes{Tags: manyTags(11)}}), "BadRequest", 400, ""},
		{"PutObject", "S3: metadata over 2 KiB", putObject(Put{Bucket: "s3-bucket", Attributes: Attributes{Metadata: map[string]string{"a": strings.Repeat("v", 2<<10)}}}), "MetadataTooLarge", 400, ""},
		{"UploadPart", "S3: Content-MD5 of another body", part(Part{Bucket: "s3-bucket", UploadID: "s3 open", PartNumber: 1, Body: body("x"), ContentMD5: base64MD5(nil)}), "BadDigest", 400, ""},
		{"UploadPart", "S3: a malformed Content-MD5", part(Part{Bucket: "s3-bucket", UploadID: "s3 open", PartNumber: 1, ContentMD5: "!"}), "InvalidDigest", 400, "0017-00000502"},
		{"UploadPart", "S3: over 5 GiB", part(Part{Bucket: "s3-bucket", UploadID: "s3 open", PartNumber: 1, Size: 5<<30 + 1}), "EntityTooLarge", 400, ""},
		{"UploadPartCopy", "S3: IfMatch another", partCopy(partToS3(When{IfMatch: emptyMD5})), "PreconditionFailed", 412, ""},
		{"UploadPartCopy", "S3: IfUnmodifiedSince before", partCopy(partToS3(When{IfUnmodifiedSince: before})), "PreconditionFailed", 412, ""},
		{"UploadPartCopy", "S3: IfNoneMatch the source's", partCopy(partToS3(When{IfNoneMatch: etag})), "PreconditionFailed", 412, ""},
		{"UploadPartCopy", "S3: IfModifiedSince the same time", partCopy(partToS3(When{IfModifiedSince: made})), "PreconditionFailed", 412, ""},
		{"UploadPartCopy", "S3: a range beyond the source", partCopy(PartCopy{Bucket: "s3-bucket", UploadID: "s3 open", SourceRange: "bytes=0-7"}), "InvalidArgument", 400, ""},
		{"UploadPartCopy", "S3: a malformed range", partCopy(PartCopy{Bucket: "s3-bucket", UploadID: "s3 open", SourceRange: "0-6"}), "InvalidArgument", 400, ""},
		{"UploadPartCopy", "S3: a range without an end", partCopy(PartCopy{Bucket: "s3-bucket", UploadID: "s3 open", SourceRange: "bytes=1-"}), "InvalidArgument", 400, ""},
		{"CompleteMultipartUpload", "S3: an empty list", complete(Complete{Bucket: "s3-bucket", UploadID: "s3 without parts"}), "MalformedXML", 400, "0042-00000205"},
		{"CompleteMultipartUpload", "S3: 100 KiB, not the last", complete(Complete{Bucket: "s3-bucket", UploadID: "s3 open"}, 1, 2), "EntityTooSmall", 400, "0042-00000213"},
		{"CompleteMultipartUpload", "S3: completed before with another list", complete(Complete{Bucket: "s3-bucket", UploadID: "s3 completed", Parts: numbered(1)}), "NoSuchUpload", 404, "0042-00000203"},
		{"CompleteMultipartUpload", "S3: IfNoneMatch *, and the object exists", complete(Complete{Bucket: "s3-bucket", Key: "there", UploadID: "s3 overwriting", Preconditions: If{IfNoneMatch: "*"}}, 1), "PreconditionFailed", 412, ""},
		{"CompleteMultipartUpload", "S3: number 0", complete(Complete{Bucket: "s3-bucket", UploadID: "s3 open", Parts: numbered(0)}), "InvalidArgument", 400, "0017-00000220"},
		{"CompleteMultipartUpload", "S3: number 10001", complete(Complete{Bucket: "s3-bucket", UploadID: "s3 open", Parts: numbered(10001)}), "InvalidArgument", 400, "0017-00000220"},
		{"CompleteMultipartUpload", "S3: a composite checksum, and the list has none", complete(Complete{Bucket: "s3-bucket", UploadID: "s3 with SHA256"}, 1), "InvalidRequest", 400, ""},
		{"AbortMultipartUpload", "S3: the upload was completed", abortIn("s3-bucket", "s3 completed"), "NoSuchUpload", 404, "0042-00000002"},
		{"GetObject", "S3: a range behind the end", getObject(Get{Bucket: "s3-bucket", Range: "bytes=7-"}), "InvalidRange", 416, ""},
		{"PutObject", "S3: over 5 GiB", putObject(Put{Bucket: "s3-bucket", Size: 5<<30 + 1}), "EntityTooLarge", 400, ""},
		{"PutObject", "S3: Content-MD5 of another body", putObject(Put{Bucket: "s3-bucket", Body: body("x"), ContentMD5: base64MD5(nil)}), "BadDigest", 400, ""},
		{"CopyObject", "S3: IfNoneMatch the source's", copyObject(toS3(When{IfNoneMatch: etag})), "PreconditionFailed", 412, ""},
		{"CopyObject", "S3: onto itself, and nothing changes", copyObject(Copy{Bucket: "s3-bucket", Key: "there", SourceBucket: "s3-bucket", SourceKey: "there"}), "InvalidRequest", 400, ""},
		{"CopyObject", "S3: onto itself, with the storage class that it has", copyObject(Copy{Bucket: "s3-bucket", Key: "there", SourceBucket: "s3-bucket", SourceKey: "there", Attributes: Attributes{StorageClass: "STANDARD"}}), "InvalidRequest", 400, ""},
		{"CopyObject", "S3: IfModifiedSince the same time", copyObject(toS3(When{IfModifiedSince: made})), "PreconditionFailed", 412, ""},
	}
}

// everyCode are the codes of OSS and S3, with their HTTP statuses, that uploads and what belongs to
// them may end with.
var everyCode = []struct {
	code   string
	status int
}{
	// What is missing or in the way.
	{"NoSuchBucket", 404}, {"NoSuchKey", 404}, {"NoSuchUpload", 404}, {"BucketAlreadyExists", 409}, {"BucketNotEmpty", 409},
	{"FileAlreadyExists", 409}, {"PreconditionFailed", 412}, {"NotModified", 304}, {"ConditionalRequestConflict", 409},
	// Arguments and bodies.
	{"InvalidArgument", 400}, {"InvalidRequest", 400}, {"MissingArgument", 400}, {"InvalidBucketName", 400}, {"InvalidObjectName", 400},
	{"KeyTooLongError", 400}, {"MetadataTooLarge", 400}, {"InvalidStorageClass", 400}, {"InvalidRedirectLocation", 400}, {"InvalidTag", 400}, {"BadRequest", 400}, {"InvalidRange", 416}, {"InvalidPartNumber", 416}, {"InvalidDigest", 400}, {"BadDigest", 400},
	{"InvalidCRC64", 400}, {"XAmzContentSHA256Mismatch", 400}, {"EntityTooLarge", 400}, {"IncompleteBody", 400}, {"RequestTimeout", 400},
	{"MissingContentLength", 411}, {"MethodNotAllowed", 405},
	// Lists of parts, sequential uploads, hash contexts, callbacks.
	{"MalformedXML", 400}, {"InvalidPart", 400}, {"InvalidPartOrder", 400}, {"EntityTooSmall", 400}, {"TooManyParts", 400},
	{"PartNotSequential", 400}, {"PartAlreadyExist", 409}, {"NoHashContext", 400}, {"CallbackFailed", 203},
	// Encryption.
	{"InvalidEncryptionAlgorithmError", 400}, {"InvalidDataEncryptionAlgorithmError", 400}, {"KmsServiceNotEnabled", 403},
	{"KeyNotFound", 404}, {"AliasNotFound", 404}, {"KeyDisabled", 409}, {"KeyPendingDeletion", 409}, {"KeyPendingImport", 409},
	// Who may do what.
	{"AccessDenied", 403}, {"SignatureDoesNotMatch", 403}, {"InvalidAccessKeyId", 403}, {"RequestTimeTooSkewed", 403},
	{"SecurityTokenExpired", 403}, {"SecurityTokenNotSupported", 403}, {"InvalidSecurityToken", 403},
	// Other kinds and states of objects.
	{"InvalidTargetType", 400}, {"InvalidObjectState", 403}, {"OperationNotSupported", 400},
	// What should not happen.
	{"FilePartNotExist", 400}, {"FilePartStale", 400}, {"FilePartInterity", 400}, {"NotImplemented", 501}, {"InternalError", 500},
}

// TestEveryCode wants a row for every code, or a reason in NOT-OFFERED.md why it is not offered,
// and not both. It also wants every row's code to be one that is listed.
func TestEveryCode(t *testing.T) {
	type answer struct {
		code   string
		status int
	}
	rows, listed, withheld := map[string]bool{}, map[answer]bool{}, codesNotOffered(t)
	for _, c := range everyCode {
		listed[c] = true
	}
	for _, row := range refusals() {
		rows[row.code] = true
		if !listed[answer{row.code, row.status}] {
			t.Errorf("%s, %s: no service answers %s with status %d", row.op, row.when, row.code, row.status)
		}
	}
	for _, c := range everyCode {
		switch {
		case !rows[c.code] && !withheld[c.code]:
			t.Errorf("%s: no row, and NOT-OFFERED.md does not say why", c.code)
		case rows[c.code] && withheld[c.code]:
			t.Errorf("%s: NOT-OFFERED.md says that it is not offered, but it is", c.code)
		}
	}
}

// codesNotOffered are the names in code type in the first column of the table of NOT-OFFERED.md.
func codesNotOffered(t *testing.T) map[string]bool {
	t.Helper()
	list, err := os.ReadFile("../NOT-OFFERED.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(list), "# Not offered, and why\n")
	if !ok {
		t.Fatal("NOT-OFFERED.md has no title")
	}
	section, _, _ = strings.Cut(section, "\n#")
	codes := map[string]bool{}
	for line := range strings.Lines(section) {
		row, ok := strings.CutPrefix(line, "| ")
		if !ok {
			continue
		}
		column, _, _ := strings.Cut(row, " | ")
		for _, name := range regexp.MustCompile("`([A-Za-z0-9]+)`").FindAllStringSubmatch(column, -1) {
			codes[name[1]] = true
		}
	}
	return codes
}

// TestRefusals shows the refusals. The store and the open uploads are the same after each.
func TestRefusals(t *testing.T) {
	w := newWorld(t, keys(t))
	before := w.state()
	for _, row := range refusals() {
		t.Run(row.op+"/"+row.when, func(t *testing.T) {
			w.t = t
			err := row.do(w)
			if err == nil {
				t.Fatalf("no error, want %s", row.code)
			}
			got := asError(t, err)
			if got.Code != row.code || got.HTTPStatus != row.status || got.EC != row.ec {
				t.Errorf("got %s, %d, %q, want %s, %d, %q: %v", got.Code, got.HTTPStatus, got.EC, row.code, row.status, row.ec, err)
			}
			if got.Op != row.op || got.Bucket == "" {
				t.Errorf("the error is of %s on bucket %q, want %s on the request's", got.Op, got.Bucket, row.op)
			}
			if got.Code == "InvalidArgument" && got.Argument == "" {
				t.Errorf("the error does not say which argument is at fault: %v", err)
			}
			if (got.Code == "PreconditionFailed" || got.Code == "NotModified") && got.Condition == "" {
				t.Errorf("the error does not say which condition does not hold: %v", err)
			}
			if !errors.Is(err, &engine.Error{Code: row.code}) {
				t.Errorf("errors.Is does not find the code %s in %v", row.code, err)
			}
			if after := w.state(); !reflect.DeepEqual(after, before) {
				t.Errorf("the store holds %+v, held %+v before", after, before)
				before = after // each row answers for itself
			}
		})
	}
	// The uploads are as good as new.
	w.t = t
	for _, do := range []func(*world) error{
		complete(Complete{UploadID: "open"}, 1, 4), complete(Complete{Key: "there", UploadID: "overwriting", Preconditions: If{IfMatch: w.object.ETag}}, 2),
		part(Part{UploadID: "sequential", PartNumber: 3}), complete(Complete{Bucket: "s3-bucket", UploadID: "s3 open"}, 1),
		part(Part{UploadID: "of a client", PartNumber: 1, SSECustomerKey: clientKey}), complete(Complete{UploadID: "with SHA256"}, 1),
	} {
		if err := do(w); err != nil {
			t.Errorf("after all these failures: %v", err)
		}
	}
}
