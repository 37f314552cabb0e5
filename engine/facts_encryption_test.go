package engine_test

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
)

// encryptionFacts are those of encryption, checksums and keys of the client's own.
func encryptionFacts() []fact {
	a, b, c := random(11, minPart), random(12, minPart), random(13, 3)
	content := []byte("content") // of bucket/there
	some := engine.Checksum{Algorithm: "CRC32"}
	return []fact{
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

		// Checksums.
		{"InitiateMultipartUpload", "the type of a checksum, if none is asked for", func(w *world) (err error) {
			for algorithm := range checksums {
				want := "COMPOSITE"
				if algorithm == "CRC64NVME" {
					want = "FULL_OBJECT"
				}
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
	}
}
