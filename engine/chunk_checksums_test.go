package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc64"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// manifestOf returns what the manifests of an object say of its chunks, in order.
func manifestOf(t *testing.T, idx index.Store, bucket, key string) (chunks []index.PageChunk) {
	t.Helper()
	err := idx.View(context.Background(), func(r index.Reader) error {
		obj, err := index.Get(r, index.ObjectKey(bucket, key))
		if err != nil {
			return err
		}
		for part, err := range index.Scan(r, index.PartsOf(obj.Content)) {
			if err != nil {
				return err
			}
			if part.Record.Inline {
				in, err := index.Get(r, index.InlineKey(part.Record.Manifest))
				if err != nil {
					return err
				}
				chunks = append(chunks, in.PageChunk)
			}
			for page, err := range index.Scan(r, index.PagesOf(part.Record.Manifest)) {
				if err != nil {
					return err
				}
				chunks = append(chunks, page.Record.Chunks...)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return chunks
}

// TestChunkChecksums compares the CRC-64 that manifests say of chunks with those of the chunks,
// whichever way they came in. Of encrypted content they say none.
func TestChunkChecksums(t *testing.T) {
	for _, authenticated := range []bool{false, true} {
		t.Run(fmt.Sprintf("authenticated records %t", authenticated), func(t *testing.T) { testChunkChecksums(t, authenticated) })
	}
}

func testChunkChecksums(t *testing.T, authenticated bool) {
	const chunk = 4 << 10
	e, idx := memoryStore(t, &engine.Options{ChunkSize: chunk, Keys: keys(t), AuthenticateRecords: authenticated})
	customer := crypto.CustomerKey(random(9, crypto.CustomerKeySize))
	long, text, small := random(1, (index.MaxPageChunks+2)*chunk+1), bytes.Repeat([]byte("text "), 30_000), random(2, 1000)
	want := map[string][]byte{}

	mustObject(t, e, "bucket", "parts", "", long, text) // more than a page
	want["parts"] = append(bytes.Clone(long), text...)
	put := func(key, sse string, customer crypto.CustomerKey, body []byte) {
		mustPut(t, e, engine.PutObjectRequest{
			Bucket: "bucket", Key: key, Body: bytes.NewReader(body), EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm(sse), SSECustomerKey: customer},
		})
		want[key] = body
	}
	put("again", "", nil, text) // its chunks are stored already
	put("inline", "", nil, small)
	put("empty", "", nil, nil)
	put("sealed", "AES256", nil, text)
	put("sealed inline", "AES256", nil, small)
	put("customer", "", customer, text)
	mustObject(t, e, "bucket", "sealed parts", "AES256", long, text)
	want["sealed parts"] = want["parts"]

	id := mustInitiate(t, e, "bucket", "copies", "")
	for n, from := range []struct{ key, rng string }{
		{"again", ""}, {"parts", "bytes=1000-150000"}, {"sealed", ""}, {"inline", ""}, // the first and the last by reference
	} {
		_, err := e.UploadPartCopy(t.Context(), &engine.UploadPartCopyRequest{
			Bucket: "bucket", Key: "copies", UploadID: id, PartNumber: n + 1, SourceBucket: "bucket", SourceKey: from.key, SourceRange: from.rng,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	mustComplete(t, e, "bucket", "copies", id)
	want["copies"] = bytes.Join([][]byte{text, long[1000:150_001], text, small}, nil)
	for to, from := range map[string]string{"opened": "sealed parts", "shared": "parts", "closed": "parts"} {
		sse := ""
		if to == "closed" {
			sse = "AES256"
		}
		mustCopy(t, e, engine.CopyObjectRequest{
			Bucket: "bucket", Key: to, SourceBucket: "bucket", SourceKey: from, EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm(sse)},
		})
		want[to] = want[from]
	}

	for key, body := range want {
		encrypted := strings.HasPrefix(key, "sealed") || key == "closed" || key == "customer"
		chunks := manifestOf(t, idx, "bucket", key)
		for n, c := range chunks {
			crc := crc64.Checksum(body[:c.Size], crc64.MakeTable(crc64.ECMA))
			body = body[c.Size:]
			if encrypted {
				crc = 0
			}
			if c.CRC64 != crc {
				t.Errorf("chunk %d of %s: the manifest says CRC-64 %016x, want %016x", n, key, c.CRC64, crc)
			}
		}
		if len(body) > 0 || len(chunks) == 0 && key != "empty" {
			t.Errorf("%s: %d chunks are listed, %d bytes are left", key, len(chunks), len(body))
		}
	}
	for _, p := range checkAll(t, e).Problems {
		t.Error(p)
	}
}

// TestExchangeIsSeen exchanges two chunks in a manifest without encryption. Check sees it without
// reading data, and nothing is copied by such a manifest.
func TestExchangeIsSeen(t *testing.T) {
	e, idx := variedStore(t)
	put(t, idx, swapped("object"))
	res, err := e.Check(t.Context(), &engine.CheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	hit := map[string]bool{}
	for _, p := range res.Problems {
		if p.Kind != engine.DataLost || p.PartNumber != 1 || !strings.Contains(p.Err.Error(), "in their order") {
			t.Error(p)
		}
		hit[p.Key] = true
	}
	if len(hit) != 2 || !hit["object"] || !hit["shared"] {
		t.Errorf("Check names %v", hit)
	}
	id := mustInitiate(t, e, "check", "copy", "")
	_, err = e.UploadPartCopy(t.Context(), &engine.UploadPartCopyRequest{
		Bucket: "check", Key: "copy", UploadID: id, PartNumber: 1, SourceBucket: "check", SourceKey: "object", SourceRange: "bytes=0-149999",
	})
	if corrupt, ok := errors.AsType[*engine.CorruptionError](err); !ok || !strings.Contains(corrupt.Error(), "in their order") {
		t.Errorf("UploadPartCopy: %v, want a CorruptionError", err)
	}
}
