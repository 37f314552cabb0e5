package engine_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// TestChecksumRecords has the records of an upload and of an object say checksums that cannot be.
// Check tells of them, what needs them is a CorruptionError, and nothing panics.
func TestChecksumRecords(t *testing.T) {
	sum := func(n int) func(*index.Checksum, *index.Part) {
		return func(_ *index.Checksum, p *index.Part) { p.Checksum = make([]byte, n) }
	}
	for name, c := range map[string]struct {
		algorithm crypto.ChecksumAlgorithm
		kind      engine.ChecksumType
		change    func(*index.Checksum, *index.Part)
	}{
		"a composite of a sum too short":        {crypto.SHA256, engine.ChecksumComposite, sum(31)},
		"a composite of a sum too long":         {crypto.CRC32, engine.ChecksumComposite, sum(8)},
		"a combination of a sum too long":       {crypto.CRC32C, engine.ChecksumFullObject, sum(5)},
		"a combination of one too short":        {crypto.CRC64NVME, engine.ChecksumFullObject, sum(7)},
		"a composite of the longest, too short": {crypto.SHA512, engine.ChecksumComposite, sum(63)},
		"an MD5 other than the ETag":            {crypto.MD5, engine.ChecksumComposite, sum(16)},
		"a composite of no algorithm": {crypto.SHA256, engine.ChecksumComposite, func(c *index.Checksum, _ *index.Part) {
			c.Algorithm = "MD7"
		}},
		"a combination of no algorithm": {crypto.CRC32, engine.ChecksumFullObject, func(c *index.Checksum, _ *index.Part) {
			c.Algorithm = "MD7"
		}},
		"a combination of what has none": {crypto.SHA1, engine.ChecksumComposite, func(c *index.Checksum, _ *index.Part) {
			c.Type = string(engine.ChecksumFullObject)
		}},
		"no type that there is": {crypto.CRC32, engine.ChecksumComposite, func(c *index.Checksum, _ *index.Part) {
			c.Type = "HALF_OBJECT"
		}},
	} {
		t.Run(name, func(t *testing.T) { checksumRecord(t, c.algorithm, c.kind, c.change) })
	}
}

func checksumRecord(t *testing.T, a crypto.ChecksumAlgorithm, kind engine.ChecksumType, change func(*index.Checksum, *index.Part)) {
	idx := index.NewMemory()
	e, err := engine.OpenStores(t.Context(), idx, blob.NewMemory(0), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	mustBucket(t, e, "bucket")
	ids := map[string]string{}
	for _, key := range []string{"object", "upload"} {
		up, err := e.InitiateMultipartUpload(t.Context(), &engine.InitiateMultipartUploadRequest{
			Bucket: "bucket", Key: key, Checksum: engine.Checksum{Algorithm: a, Type: kind},
		})
		if err != nil {
			t.Fatal(err)
		}
		ids[key] = up.UploadID
		mustPart(t, e, "bucket", key, up.UploadID, 1, random(1, 120<<10))
		mustPart(t, e, "bucket", key, up.UploadID, 2, random(2, 1000))
	}
	mustComplete(t, e, "bucket", "object", ids["object"])
	put(t, idx, func(tx index.Tx) error {
		object, err := index.Get(tx, index.ObjectKey("bucket", "object"))
		if err != nil {
			return err
		}
		id, ok := index.ParseContentID(ids["upload"])
		if !ok {
			return errors.New("the id of the upload is none")
		}
		upload, err := index.Get(tx, index.UploadKey("bucket", "upload", id))
		if err != nil {
			return err
		}
		for content, sum := range map[index.ContentID]*index.Checksum{object.Content: &object.Checksum, id: &upload.Checksum} {
			part, err := index.Get(tx, index.PartKey(content, 1))
			if err != nil {
				return err
			}
			change(sum, &part)
			if err := index.Put(tx, index.PartKey(content, 1), &part); err != nil {
				return err
			}
		}
		return errors.Join(
			index.Put(tx, index.ObjectKey("bucket", "object"), &object), index.Put(tx, index.UploadKey("bucket", "upload", id), &upload),
		)
	})
	res, err := e.Check(t.Context(), &engine.CheckRequest{Data: true})
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for _, p := range res.Problems {
		if told[p.Key] = true; p.Kind != engine.BadMetadata {
			t.Errorf("Check says %v", p)
		}
	}
	// A copy may have such a checksum of all, which its parts do not tell.
	possible := kind == engine.ChecksumComposite && a == crypto.SHA1
	if !told["object"] && !possible || !told["upload"] {
		t.Errorf("Check says %v", res.Problems)
	}
	_, err = e.CompleteMultipartUpload(t.Context(), &engine.CompleteMultipartUploadRequest{
		Bucket: "bucket", Key: "upload", UploadID: ids["upload"], All: true,
	})
	if corrupt := (*engine.CorruptionError)(nil); !errors.As(err, &corrupt) {
		t.Errorf("CompleteMultipartUpload: %v, want a *CorruptionError", err)
	}
	// Whether these need what is wrong depends on what that is.
	wantSoundOrCorrupt := func(op string, err error) {
		if corrupt := (*engine.CorruptionError)(nil); err != nil && !errors.As(err, &corrupt) {
			t.Errorf("%s: %v, want none or a *CorruptionError", op, err)
		}
	}
	_, err = e.UploadPart(t.Context(), &engine.UploadPartRequest{
		Bucket: "bucket", Key: "upload", UploadID: ids["upload"], PartNumber: 3, Body: bytes.NewReader(nil),
	})
	wantSoundOrCorrupt("UploadPart", err)
	_, err = e.UploadPartCopy(t.Context(), &engine.UploadPartCopyRequest{
		Bucket: "bucket", Key: "upload", UploadID: ids["upload"], PartNumber: 4, SourceBucket: "bucket", SourceKey: "object",
	})
	wantSoundOrCorrupt("UploadPartCopy", err)
	_, err = e.CopyObject(t.Context(), &engine.CopyObjectRequest{Bucket: "bucket", Key: "copy", SourceBucket: "bucket", SourceKey: "object"})
	wantSoundOrCorrupt("CopyObject", err)
	_, err = e.ListParts(t.Context(), &engine.ListPartsRequest{Bucket: "bucket", Key: "upload", UploadID: ids["upload"]})
	wantSoundOrCorrupt("ListParts", err)
	_, err = e.ListObjectParts(t.Context(), &engine.ListObjectPartsRequest{Bucket: "bucket", Key: "object"})
	wantSoundOrCorrupt("ListObjectParts", err)
	if got := readAll(t, e, "bucket", "object"); !bytes.Equal(got, append(random(1, 120<<10), random(2, 1000)...)) {
		t.Error("the object reads back wrong")
	}
}
