package engine_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// bomb is a frame of a few hundred bytes that unpacks to size times the letter x.
func bomb(size uint32) []byte {
	frame := binary.BigEndian.AppendUint32([]byte{1, 1, 0, 0}, size) // version 1, compressed
	packed := binary.AppendUvarint(nil, uint64(size))
	packed = append(packed, 0x00, 'x')       // a literal of one byte
	packed = append(packed, 0<<2|0x01, 0x01) // 4 bytes from 1 before
	for left := size - 5; left > 0; {        // the same again, so many bytes
		const least, most = 1<<16 + 4, 1<<24 + 1<<16 + 3
		n := min(left, most)
		if rest := left - n; rest > 0 && rest < least {
			n -= least
		}
		extra := n - least
		packed = append(packed, 7<<2|0x01, 0x00, byte(extra), byte(extra>>8), byte(extra>>16))
		left -= n
	}
	return append(frame, packed...)
}

// sealedRecord is the value of a record that has these fields; the index itself refuses to write
// what is over its limits.
func sealedRecord(key, fields []byte) []byte {
	value := append([]byte{1}, fields...)
	table := crc32.MakeTable(crc32.Castagnoli)
	return binary.BigEndian.AppendUint32(value, crc32.Update(crc32.Checksum(key, table), table, value))
}

// TestBomb has the index say that a frame of 337 bytes is a chunk of 1 GiB, which the frame says,
// too, and reads it in every way there is. The record is refused before memory is made for what it
// says.
func TestBomb(t *testing.T) {
	const size = 1 << 30
	frame := bomb(size)
	plain, err := s2.Decode(nil, bomb(1 << 20)[8:])
	if err != nil || !bytes.Equal(plain, bytes.Repeat([]byte("x"), 1<<20)) {
		t.Fatalf("a small one unpacks to %d bytes, %v", len(plain), err)
	}
	if n, err := s2.DecodedLen(frame[8:]); err != nil || n != size || len(frame) > 337 {
		t.Fatalf("a frame of %d bytes unpacks to %d, %v", len(frame), n, err)
	}
	ctx := context.Background()
	for _, where := range []string{"index", "volume"} {
		t.Run("in the "+where, func(t *testing.T) {
			idx, blobs := index.NewMemory(), blob.NewMemory(0)
			e, err := engine.OpenStores(t.Context(), idx, blobs, &engine.Options{ChunkSize: 64 << 10})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			body := map[string][]byte{"index": []byte("small"), "volume": random(1, 64<<10)}[where]
			mustBucket(t, e, "bucket")
			mustPut(t, e, engine.PutObjectRequest{Bucket: "bucket", Key: "key", Body: bytes.NewReader(body)})
			id := mustInitiate(t, e, "bucket", "copy", "")
			arm(t, idx, blobs, frame, size)

			calls := map[string]func() error{
				"reading": func() error {
					obj, err := e.GetObject(ctx, &engine.GetObjectRequest{Bucket: "bucket", Key: "key"})
					if err != nil {
						return err
					}
					defer obj.Close()
					_, err = io.CopyN(io.Discard, obj, 1)
					return err
				},
				"copying": func() error {
					_, err := e.UploadPartCopy(ctx, &engine.UploadPartCopyRequest{
						Bucket: "bucket", Key: "copy", UploadID: id, PartNumber: 1,
						SourceBucket: "bucket", SourceKey: "key", SourceRange: "bytes=0-9",
					})
					return err
				},
				"Check": func() error {
					res, err := e.Check(ctx, &engine.CheckRequest{Data: true})
					for _, p := range res.Problems {
						err = errors.Join(err, p.Err)
					}
					return err
				},
			}
			for what, call := range calls {
				before := allocated()
				err := call()
				n := allocated() - before
				if asCorruption(err) == nil {
					t.Errorf("%s: %v, want damage", what, err)
				}
				if n > 4<<20 {
					t.Errorf("%s allocated %d bytes for a frame of %d", what, n, len(frame))
				}
			}
		})
	}
}

// arm makes the only object of a store one of a single chunk that is this frame, of this size.
func arm(t *testing.T, idx *index.Memory, blobs *blob.Memory, frame []byte, size uint32) {
	t.Helper()
	put(t, idx, func(tx index.Tx) error {
		key := index.ObjectKey("bucket", "key")
		obj, err := index.Get(tx, key)
		if err != nil {
			return err
		}
		entry := first(index.Scan(tx, index.PartsOf(obj.Content)))
		obj.Size, entry.Record.Size = int64(size), int64(size)
		err = errors.Join(index.Put(tx, key, &obj), index.Put(tx, entry.Key, &entry.Record))
		manifest := entry.Record.Manifest
		if entry.Record.Inline {
			in, err2 := index.Get(tx, index.InlineKey(manifest))
			fields := binary.AppendUvarint(in.ID[:], uint64(size))
			fields = append(binary.AppendUvarint(fields, uint64(len(frame))), frame...)
			key := index.InlineKey(manifest)
			return errors.Join(err, err2, tx.Put(key, sealedRecord(key, fields)))
		}
		page, err2 := index.Get(tx, index.PageKey(manifest, 0))
		chunk := page.Chunks[0].ID
		ref, err3 := blobs.Put(context.Background(), blob.ID(chunk), frame)
		fields := binary.AppendUvarint(slices.Concat([]byte{0, 1}, chunk[:]), uint64(size))
		rec := index.Chunk{Volume: ref.Volume, Offset: ref.Offset, Stored: ref.Size, Refs: 1}
		return errors.Join(err, err2, err3, index.Put(tx, index.ChunkKey(chunk), &rec),
			tx.Put(index.PageKey(manifest, 0), sealedRecord(index.PageKey(manifest, 0), fields)))
	})
}

// TestFrameHeaderFirst has the index say that a frame of another size is a chunk of 16 MiB, the
// largest there is: the frame is refused before memory is made.
func TestFrameHeaderFirst(t *testing.T) {
	idx, blobs := index.NewMemory(), blob.NewMemory(0)
	e, err := engine.OpenStores(t.Context(), idx, blobs, &engine.Options{ChunkSize: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	mustBucket(t, e, "bucket")
	for _, body := range []string{"small", string(random(1, 64<<10))} {
		mustPut(t, e, engine.PutObjectRequest{Bucket: "bucket", Key: "key", Body: strings.NewReader(body)})
		arm(t, idx, blobs, bomb(1<<23), 16<<20)
		before := allocated()
		obj := mustGet(t, e, "bucket", "key", "")
		if _, err := io.CopyN(io.Discard, obj, 1); asCorruption(err) == nil {
			t.Errorf("reading: %v, want damage", err)
		}
		if n := allocated() - before; n > 4<<20 {
			t.Errorf("%d bytes were allocated", n)
		}
	}
}

// TestLargestChunk stores a chunk that is as large as any, and does not compress, in both forms.
func TestLargestChunk(t *testing.T) {
	e := openTemp(t, &engine.Options{ChunkSize: index.MaxChunkSize, Keys: keys(t)})
	body := random(1, index.MaxChunkSize)
	for _, sse := range []string{"", "AES256"} {
		mustObject(t, e, "bucket", "key"+sse, sse, body)
		if !bytes.Equal(readAll(t, e, "bucket", "key"+sse), body) {
			t.Errorf("encryption %q: other bytes", sse)
		}
	}
	if got := stats(t, e).Chunks; got != 2 {
		t.Errorf("there are %d chunks, want 2", got)
	}
}
