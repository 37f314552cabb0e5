package engine_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/zeebo/xxh3"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// checksums are the algorithms as the standard library has them, and those of xxHash. NVME's polynomial
// is that of the NVM Command Set specification, bit-reflected.
var checksums = map[string]func() hash.Hash{
	"CRC32":     func() hash.Hash { return crc32.NewIEEE() },
	"CRC32C":    func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
	"CRC64NVME": func() hash.Hash { return crc64.New(crc64.MakeTable(0x9a6c9329ac4bc9b5)) },
	"MD5":       md5.New,
	"SHA1":      sha1.New,
	"SHA256":    sha256.New,
	"SHA512":    sha512.New,
	"XXHASH64":  func() hash.Hash { return xxhash.New() },
	"XXHASH3":   func() hash.Hash { return xxh3.New() },
	"XXHASH128": func() hash.Hash { return xxh3.New128() },
}

func checksumOf(algorithm string, data ...[]byte) []byte {
	h := checksums[algorithm]()
	for _, d := range data {
		h.Write(d)
	}
	return h.Sum(nil)
}

var inBase64 = base64.StdEncoding.EncodeToString

// TestChecksumValues puts what has a published checksum: in the catalogue of CRCs, in RFC 1321, in
// FIPS 180, and in the check of xxHash's command, whose first byte is 0. More of them are in package crypto.
func TestChecksumValues(t *testing.T) {
	e, _ := memoryStore(t, nil)
	mustBucket(t, e, "bucket")
	values := map[crypto.ChecksumAlgorithm][2]string{
		"CRC32":     {"123456789", "cbf43926"},
		"CRC32C":    {"123456789", "e3069283"},
		"CRC64NVME": {"123456789", "ae8b14860a799888"},
		"MD5":       {"abc", "900150983cd24fb0d6963f7d28e17f72"},
		"SHA1":      {"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
		"SHA256":    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		"SHA512": {"abc", "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a" +
			"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
		"XXHASH64":  {"\x00", "e934a84adb052768"},
		"XXHASH3":   {"\x00", "c44bdff4074eecdb"},
		"XXHASH128": {"\x00", "a6cd5e9392000f6ac44bdff4074eecdb"},
	}
	if len(values) != len(checksums) {
		t.Errorf("%d algorithms have a value here, of %d", len(values), len(checksums))
	}
	for algorithm, x := range values {
		sum, err := hex.DecodeString(x[1])
		if err != nil {
			t.Fatal(err)
		}
		want := engine.Checksum{Algorithm: algorithm, Type: "FULL_OBJECT", Value: inBase64(sum)}
		mustPut(t, e, engine.PutObjectRequest{Key: "key", Body: strings.NewReader(x[0]), Checksum: engine.Checksum{Algorithm: algorithm}})
		if got := head(t, e, "bucket", "key").Checksum; same(got, want) != nil {
			t.Errorf("%q has %+v, want %+v", x[0], got, want)
		}
	}
}

// A readCounter counts the chunks that are read.
type readCounter struct {
	blob.Store
	reads atomic.Int64
}

func (c *readCounter) Get(ctx context.Context, ref blob.Ref, buf []byte) ([]byte, error) {
	c.reads.Add(1)
	return c.Store.Get(ctx, ref, buf)
}

// TestMD5IsKnown copies by reference, without reading, where the new checksum is an MD5 that the record
// of the source has anyway, whatever its own checksum is.
func TestMD5IsKnown(t *testing.T) {
	blobs := &readCounter{Store: blob.NewMemory(0)}
	e, err := engine.OpenStores(t.Context(), index.NewMemory(), blobs, &engine.Options{ChunkSize: 16 << 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	mustBucket(t, e, "bucket")
	a, b := random(1, minPart), random(2, 1000)
	mustPut(t, e, engine.PutObjectRequest{Key: "put", Body: bytes.NewReader(a), Checksum: engine.Checksum{Algorithm: "SHA256"}})
	id := mustInitiate(t, e, "bucket", "parts", "")
	mustPart(t, e, "bucket", "parts", id, 1, a)
	mustPart(t, e, "bucket", "parts", id, 2, b)
	mustComplete(t, e, "bucket", "parts", id)
	for _, c := range []struct {
		algorithm, source string
		part, object      bool // that is copied is read
	}{
		{"MD5", "put", false, false}, {"MD5", "parts", false, true},
		{"SHA256", "put", false, false}, {"SHA512", "put", true, true},
	} {
		algorithm := crypto.ChecksumAlgorithm(c.algorithm)
		whole := slices.Concat(a, b)[:head(t, e, "bucket", c.source).Size]
		before := blobs.reads.Load()
		got := mustCopy(t, e, engine.CopyObjectRequest{Key: "copy", SourceKey: c.source, ChecksumAlgorithm: algorithm})
		want := engine.Checksum{Algorithm: algorithm, Type: "FULL_OBJECT", Value: inBase64(checksumOf(c.algorithm, whole))}
		if read := blobs.reads.Load() != before; read != c.object || same(got.Checksum, want) != nil {
			t.Errorf("CopyObject of %s with %s: it is read %t, want %t; %+v, want %+v", c.source, algorithm, read, c.object, got.Checksum, want)
		}
		up, err := e.InitiateMultipartUpload(t.Context(), &engine.InitiateMultipartUploadRequest{Bucket: "bucket", Key: "key", Checksum: engine.Checksum{Algorithm: algorithm}})
		if err != nil {
			t.Fatal(err)
		}
		before = blobs.reads.Load()
		part, err := e.UploadPartCopy(t.Context(), &engine.UploadPartCopyRequest{
			Bucket: "bucket", Key: "key", UploadID: up.UploadID, PartNumber: 1, SourceBucket: "bucket", SourceKey: c.source,
			SourceRange: fmt.Sprint("bytes=0-", minPart-1),
		})
		if read := blobs.reads.Load() != before; err != nil || read != c.part || part.Checksum.Value != inBase64(checksumOf(c.algorithm, a)) {
			t.Errorf("UploadPartCopy of %s with %s: it is read %t, want %t; %+v, %v", c.source, algorithm, read, c.part, part, err)
		}
	}
	checkStore(t, e)
}

// TestChecksums uploads parts, and puts, with every algorithm and type; the checksums are those of
// the standard library over the parts or the whole, and stay with the object and its copies.
func TestChecksums(t *testing.T) {
	e := openTemp(t, &engine.Options{ChunkSize: 16 << 10, Keys: keys(t)})
	mustBucket(t, e, "bucket")
	parts := [][]byte{random(1, minPart), random(2, minPart+12345), random(3, 17)}
	whole := slices.Concat(parts...)
	for algorithm := range checksums {
		for _, kind := range []string{"", "COMPOSITE", "FULL_OBJECT"} {
			composite := !strings.HasPrefix(algorithm, "CRC") // and nothing else
			req := &engine.InitiateMultipartUploadRequest{
				Bucket: "bucket", Key: "key", Checksum: engine.Checksum{Algorithm: crypto.ChecksumAlgorithm(algorithm), Type: engine.ChecksumType(kind)}, EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm([]string{"", "AES256"}[len(kind)%2])},
			}
			up, err := e.InitiateMultipartUpload(context.Background(), req)
			if kind == "COMPOSITE" && algorithm == "CRC64NVME" || kind == "FULL_OBJECT" && composite {
				if !errors.Is(err, engine.ErrInvalidRequest) {
					t.Errorf("%s %s: %v, want a refusal", algorithm, kind, err)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			wantType := kind
			if kind == "" {
				wantType = map[bool]string{true: "FULL_OBJECT", false: "COMPOSITE"}[algorithm == "CRC64NVME"]
			}
			if same(up.Checksum, engine.Checksum{Algorithm: crypto.ChecksumAlgorithm(algorithm), Type: engine.ChecksumType(wantType)}) != nil {
				t.Errorf("Initiate says %+v", up.Checksum)
			}
			list, sums := uploadChecked(t, e, up.UploadID, algorithm, parts)
			want := engine.Checksum{Algorithm: crypto.ChecksumAlgorithm(algorithm), Type: engine.ChecksumType(wantType), Value: inBase64(checksumOf(algorithm, whole))}
			if wantType == "COMPOSITE" {
				want.Value = fmt.Sprintf("%s-%d", inBase64(checksumOf(algorithm, sums...)), len(parts))
			}
			completeChecked(t, e, up.UploadID, list, want, int64(len(whole)))
			mustCopy(t, e, engine.CopyObjectRequest{Key: "copy", SourceKey: "key"})
			for _, key := range []string{"key", "copy"} {
				if got := head(t, e, "bucket", key).Checksum; same(got, want) != nil {
					t.Errorf("%s heads with %+v, want %+v", key, got, want)
				}
			}
		}
		for _, body := range [][]byte{nil, whole} {
			want := engine.Checksum{Algorithm: crypto.ChecksumAlgorithm(algorithm), Type: "FULL_OBJECT", Value: inBase64(checksumOf(algorithm, body))}
			got := mustPut(t, e, engine.PutObjectRequest{Key: "put", Body: bytes.NewReader(body), Checksum: engine.Checksum{Algorithm: crypto.ChecksumAlgorithm(algorithm), Value: want.Value}})
			if same(got.Checksum, want) != nil || same(head(t, e, "bucket", "put").Checksum, want) != nil {
				t.Errorf("PutObject says %+v, want %+v", got.Checksum, want)
			}
			// A part that is a copy of it has the checksum, too, also of one that had another, or
			// none.
			up, err := e.InitiateMultipartUpload(context.Background(), &engine.InitiateMultipartUploadRequest{Bucket: "bucket", Key: "key", Checksum: engine.Checksum{Algorithm: crypto.ChecksumAlgorithm(algorithm)}})
			if err != nil {
				t.Fatal(err)
			}
			for _, other := range []string{algorithm, "", "SHA1", "CRC32"} {
				mustPut(t, e, engine.PutObjectRequest{Key: "put", Body: bytes.NewReader(body), Checksum: engine.Checksum{Algorithm: crypto.ChecksumAlgorithm(other)}})
				part, err := e.UploadPartCopy(context.Background(), &engine.UploadPartCopyRequest{
					Bucket: "bucket", Key: "key", UploadID: up.UploadID, PartNumber: 1, SourceBucket: "bucket", SourceKey: "put",
				})
				if err != nil || part.Checksum.Value != want.Value || same(partsOf(t, e, "bucket", "key", up.UploadID)[0].Checksum, part.Checksum) != nil {
					t.Errorf("UploadPartCopy of an object with checksum %q says %+v, %v", other, part, err)
				}
			}
		}
	}
}

// uploadChecked uploads the parts with their checksums, every other one, and wrong ones before.
func uploadChecked(t *testing.T, e *engine.Engine, id, algorithm string, parts [][]byte) (list []engine.CompletedPart, sums [][]byte) {
	t.Helper()
	for i, body := range parts {
		sum := checksumOf(algorithm, body)
		another := "CRC32"
		if algorithm == another {
			another = "CRC32C"
		}
		req := engine.UploadPartRequest{Bucket: "bucket", Key: "key", UploadID: id, PartNumber: i + 1}
		for _, row := range []struct {
			given engine.Checksum
			want  error
		}{
			{engine.Checksum{Value: inBase64(checksumOf(algorithm, body, []byte("more")))}, engine.ErrBadDigest},
			{engine.Checksum{Value: "!"}, engine.ErrInvalidRequest},
			{engine.Checksum{Value: inBase64(sum[1:])}, engine.ErrInvalidRequest},
			{engine.Checksum{Algorithm: "MD4"}, engine.ErrInvalidRequest},
			{engine.Checksum{Algorithm: crypto.ChecksumAlgorithm(another), Value: inBase64(sum)}, engine.ErrInvalidRequest},
			{engine.Checksum{Type: "COMPOSITE"}, engine.ErrInvalidRequest},
		} {
			given, want := row.given, row.want
			req.Body, req.Checksum = bytes.NewReader(body), given
			if _, err := e.UploadPart(context.Background(), &req); !errors.Is(err, want) {
				t.Errorf("a part with checksum %+v: %v, want %v", given, err, want)
			}
		}
		req.Body, req.Checksum = bytes.NewReader(body), engine.Checksum{}
		if i%2 == 0 {
			req.Checksum = engine.Checksum{Algorithm: crypto.ChecksumAlgorithm(algorithm), Value: inBase64(sum)}
		}
		got, err := e.UploadPart(context.Background(), &req)
		want := engine.Checksum{Algorithm: crypto.ChecksumAlgorithm(algorithm), Value: inBase64(sum)}
		if err != nil || same(got.Checksum, want) != nil || same(partsOf(t, e, "bucket", "key", id)[i].Checksum, want) != nil {
			t.Fatalf("part %d says %+v, %v; want %+v", i+1, got, err, want)
		}
		list = append(list, engine.CompletedPart{PartNumber: i + 1, ETag: got.ETag, Checksum: got.Checksum.Value})
		sums = append(sums, sum)
	}
	return list, sums
}

// completeChecked completes with the object's checksum, and with wrong ones before.
func completeChecked(t *testing.T, e *engine.Engine, id string, list []engine.CompletedPart, want engine.Checksum, size int64) {
	t.Helper()
	wrongPart := slices.Clone(list)
	wrongPart[1].Checksum = list[0].Checksum
	other := map[string]string{"COMPOSITE": "FULL_OBJECT", "FULL_OBJECT": "COMPOSITE"}[string(want.Type)]
	for _, test := range []struct {
		req  engine.CompleteMultipartUploadRequest
		want error
	}{
		{engine.CompleteMultipartUploadRequest{Parts: wrongPart}, engine.ErrInvalidPart},
		{engine.CompleteMultipartUploadRequest{Parts: list, Size: size + 1}, engine.ErrInvalidRequest},
		{engine.CompleteMultipartUploadRequest{Parts: list, Checksum: engine.Checksum{Type: engine.ChecksumType(other)}}, engine.ErrInvalidRequest},
		{engine.CompleteMultipartUploadRequest{Parts: list, Checksum: engine.Checksum{Value: list[0].Checksum}}, engine.ErrBadDigest},
		{engine.CompleteMultipartUploadRequest{Parts: list, Checksum: engine.Checksum{Algorithm: "MD4"}}, engine.ErrInvalidRequest},
		{engine.CompleteMultipartUploadRequest{Parts: list, Checksum: want, Size: size}, nil},
	} {
		test.req.Bucket, test.req.Key, test.req.UploadID = "bucket", "key", id
		got, err := e.CompleteMultipartUpload(context.Background(), &test.req)
		if !errors.Is(err, test.want) {
			t.Errorf("Complete with %+v: %v, want %v", test.req.Checksum, err, test.want)
		}
		if err == nil && same(got.Checksum, want) != nil {
			t.Errorf("Complete says %+v, want %+v", got.Checksum, want)
		}
	}
}

// TestChecksumsOfOthers verifies what a part brings that its upload did not ask for, and refuses
// what makes no sense.
func TestChecksumsOfOthers(t *testing.T) {
	e := openTemp(t, nil)
	id := mustInitiate(t, e, "bucket", "key", "")
	body := []byte("content")
	for _, row := range []struct {
		given engine.Checksum
		want  error
	}{
		{engine.Checksum{Algorithm: "SHA256", Value: inBase64(checksumOf("SHA256", body))}, nil},
		{engine.Checksum{Algorithm: "SHA256", Value: inBase64(checksumOf("SHA256"))}, engine.ErrBadDigest},
		{engine.Checksum{Value: inBase64(checksumOf("SHA256", body))}, engine.ErrInvalidRequest},
	} {
		given, want := row.given, row.want
		got, err := e.UploadPart(context.Background(), &engine.UploadPartRequest{Bucket: "bucket", Key: "key", UploadID: id, PartNumber: 1, Body: bytes.NewReader(body), Checksum: given})
		if !errors.Is(err, want) {
			t.Errorf("a part with %+v: %v, want %v", given, err, want)
		}
		if err == nil && same(got.Checksum, engine.Checksum{}) != nil {
			t.Errorf("the part keeps %+v, though its upload has no checksums", got.Checksum)
		}
	}
	for _, c := range []engine.Checksum{{Algorithm: "MD4"}, {Type: "COMPOSITE"}, {Algorithm: "CRC32", Type: "ODD"}, {Algorithm: "CRC32", Value: "AAAAAA=="}} {
		_, err := e.InitiateMultipartUpload(context.Background(), &engine.InitiateMultipartUploadRequest{Bucket: "bucket", Key: "key", Checksum: c})
		if !errors.Is(err, engine.ErrInvalidRequest) {
			t.Errorf("Initiate with %+v: %v", c, err)
		}
	}
	_, err := e.CompleteMultipartUpload(context.Background(), &engine.CompleteMultipartUploadRequest{
		Bucket: "bucket", Key: "key", UploadID: id, All: true, Checksum: engine.Checksum{Value: "AAAAAA=="},
	})
	if !errors.Is(err, engine.ErrInvalidRequest) {
		t.Errorf("Complete with a checksum that the upload does not have: %v", err)
	}
}
