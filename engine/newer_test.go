package engine_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/badger"
)

// TestNewerRecords makes all records of a table ones of a newer version, one table at a time, and
// goes on with the store. What meets one fails with a FormatError, which is no damage. What does
// not works. And nothing is lost: when the records can be read again, the store is sound.
func TestNewerRecords(t *testing.T) {
	_, idx := variedStore(t)
	for table := range recordsOf(t, idx) {
		if table == index.HeaderKey()[0] {
			continue // Open reads it
		}
		t.Run(string(table), func(t *testing.T) {
			e, idx := variedStore(t)
			before := recordsOf(t, idx)[table]
			put(t, idx, func(tx index.Tx) error {
				for key, value := range before {
					if err := tx.Put([]byte(key), newer([]byte(key), value)); err != nil {
						return err
					}
				}
				return nil
			})
			met := 0
			for name, err := range useAll(t, e) {
				var format *engine.FormatError
				switch {
				case err == nil:
				case errors.As(err, &format) && format.Version == 255 && format.Supported < 255:
					met++
				default:
					t.Errorf("%s: %v, want a FormatError", name, err)
				}
			}
			if met == 0 {
				t.Error("nothing has met one of the records")
			}
			after := recordsOf(t, idx)[table]
			put(t, idx, func(tx index.Tx) error {
				for key, value := range before {
					if !bytes.Equal(after[key], newer([]byte(key), value)) {
						t.Errorf("record %q was changed", key)
					}
					if err := tx.Put([]byte(key), value); err != nil {
						return err
					}
				}
				return nil
			})
			for _, err := range useAll(t, e) {
				if err != nil {
					t.Errorf("when the records can be read again: %v", err)
				}
			}
		})
	}
}

// TestNewerHeader opens a store whose header is of a newer version.
func TestNewerHeader(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, nil)
	mustClose(t, e)
	idx, err := badger.Open(t.Context(), filepath.Join(dir, "index"), nil)
	if err != nil {
		t.Fatal(err)
	}
	header := recordsOf(t, idx)[index.HeaderKey()[0]]
	put(t, idx, func(tx index.Tx) error {
		key := index.HeaderKey()
		return tx.Put(key, newer(key, header[string(key)]))
	})
	if err := idx.Close(); err != nil {
		t.Fatal(err)
	}
	e, err = engine.Open(context.Background(), dir, nil)
	var format *engine.FormatError
	if !errors.As(err, &format) || format.Version != 255 {
		t.Errorf("Open: %v, want a FormatError", err)
	}
	if err == nil {
		mustClose(t, e)
	}
}

// newer returns a record as a newer version might have written it.
func newer(key, record []byte) []byte {
	body := append([]byte{255}, record[1:len(record)-4]...)
	table := crc32.MakeTable(crc32.Castagnoli)
	return binary.BigEndian.AppendUint32(body, crc32.Update(crc32.Checksum(key, table), table, body))
}

// recordsOf returns all records, by table and key.
func recordsOf(t *testing.T, idx index.Store) map[byte]map[string][]byte {
	t.Helper()
	tables := map[byte]map[string][]byte{}
	err := idx.View(context.Background(), func(r index.Reader) error {
		for item, err := range r.Scan(nil, nil) {
			if err != nil {
				return err
			}
			table := item.Key[0]
			if tables[table] == nil {
				tables[table] = map[string][]byte{}
			}
			tables[table][string(item.Key)] = item.Value
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tables
}

// useAll uses what a varied store holds in many ways, and returns what went wrong. It destroys
// nothing that was there.
func useAll(t *testing.T, e *engine.Engine) map[string]error {
	t.Helper()
	ctx := context.Background()
	failed := map[string]error{}
	result := func(what string, err error) { failed[what] = err }
	for _, key := range []string{"object", "sealed", "small", "summed", "shared"} {
		obj, err := e.GetObject(ctx, &engine.GetObjectRequest{Bucket: "check", Key: key})
		if err == nil {
			_, err = io.Copy(io.Discard, obj)
			err = errors.Join(err, obj.Close())
		}
		result("reading "+key, err)
	}
	var uploadID string
	for up, err := range e.Uploads(ctx, &engine.ListMultipartUploadsRequest{Bucket: "check"}) {
		result("uploads", err)
		uploadID = up.UploadID
	}
	if uploadID == "" {
		return failed // what the rest needs is not to be had
	}
	for _, err := range e.Parts(ctx, &engine.ListPartsRequest{Bucket: "check", Key: "upload", UploadID: uploadID}) {
		result("parts", err)
	}
	for _, err := range e.Objects(ctx, &engine.ListObjectsRequest{Bucket: "check"}) {
		result("objects", err)
	}
	_, err := e.PutObject(ctx, &engine.PutObjectRequest{Bucket: "check", Key: "new", Body: bytes.NewReader(random(77, 100_000))})
	result("put", err)
	_, err = e.PutObject(ctx, &engine.PutObjectRequest{Bucket: "check", Key: "again", Body: bytes.NewReader(random(1, 150_000))})
	result("put of what is there", err)
	_, err = e.CopyObject(ctx, &engine.CopyObjectRequest{Bucket: "check", Key: "copied", SourceBucket: "check", SourceKey: "object"})
	result("copy", err)
	_, err = e.UploadPart(ctx, &engine.UploadPartRequest{
		Bucket: "check", Key: "upload", UploadID: uploadID, PartNumber: 9, Body: bytes.NewReader(random(78, 1000)),
	})
	result("part", err)
	up, err := e.InitiateMultipartUpload(ctx, &engine.InitiateMultipartUploadRequest{Bucket: "repeat", Key: "completed"})
	result("initiate", err)
	if err == nil {
		_, err = e.UploadPart(ctx, &engine.UploadPartRequest{
			Bucket: "repeat", Key: "completed", UploadID: up.UploadID, PartNumber: 1, Body: bytes.NewReader(random(79, 1000)),
		})
		result("part to complete", err)
	}
	if err == nil {
		_, err = e.CompleteMultipartUpload(ctx, &engine.CompleteMultipartUploadRequest{
			Bucket: "repeat", Key: "completed", UploadID: up.UploadID, All: true,
		})
		result("complete", err)
	}
	_, err = e.DeleteObject(ctx, &engine.DeleteObjectRequest{Bucket: "repeat", Key: "completed"})
	result("delete completed", err)
	for _, key := range []string{"new", "again", "copied"} {
		_, err = e.DeleteObject(ctx, &engine.DeleteObjectRequest{Bucket: "check", Key: key})
		result("delete "+key, err)
	}
	_, err = e.Reclaim(ctx, &engine.ReclaimRequest{})
	result("reclaim", err)
	_, err = e.Stats(ctx, &engine.StatsRequest{})
	result("stats", err)
	_, err = e.Expire(ctx, &engine.ExpireRequest{Before: time.Unix(1, 0)})
	result("expire", err)
	res, err := e.Check(ctx, &engine.CheckRequest{Data: true})
	result("check", err)
	if err == nil {
		for _, p := range res.Problems {
			result(p.String(), p.Err)
		}
	}
	return failed
}
