package index_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/index"
)

var (
	moment     = time.Date(2024, 2, 29, 23, 59, 59, 123456789, time.UTC)
	attributes = index.Attributes{
		ContentType: "text/plain", CacheControl: "no-cache", ContentDisposition: "inline", ContentEncoding: "gzip", Expires: "never",
		StorageClass: "IA", Metadata: map[string]string{"b": "2", "a": "1", "empty": ""}, Tags: map[string]string{"": "x"},
	}
	encryption = index.Encryption{Algorithm: "KMS", KeyID: "key", WrappedKey: []byte{1, 2, 3}, Wrapper: "master", Customer: true}
	checksum   = index.Checksum{Algorithm: "SHA256", Type: "COMPOSITE", Value: bytes.Repeat([]byte{7}, 32)}
	mac        = bytes.Repeat([]byte{9}, 16)
	page       = index.Page{MAC: mac, Start: math.MaxInt64, Chunks: []index.PageChunk{{ID: index.ChunkID{1}, Size: 1 << 20}, {ID: index.ChunkID{2}}, {Size: index.MaxChunkSize}}}
	directory  = index.Directory{MAC: mac, Start: 300, Parts: []index.DirectoryPart{{Number: 1, Size: 5 << 30, Manifest: index.ManifestID{1}}, {Number: 10_000}}}
)

// roundTrip stores records and reads them back, one by one and by a scan.
func roundTrip[R any, P interface {
	*R
	index.Codec
}](t *testing.T, key index.Key[R], records ...R) {
	t.Helper()
	store := index.NewMemory()
	defer store.Close()
	for _, want := range append(records, *new(R)) {
		var got, scanned R
		err := store.Update(t.Context(), func(tx index.Tx) (err error) {
			if err = index.Put[R, P](tx, key, &want); err != nil {
				return err
			}
			for entry, err := range index.Scan[R, P](tx, index.Range[R]{}) {
				if err != nil || !bytes.Equal(entry.Key, key) {
					t.Errorf("Scan shows key %q, %v", entry.Key, err)
				}
				scanned = entry.Record
			}
			got, err = index.Get[R, P](tx, key)
			return err
		})
		if err != nil {
			t.Errorf("%T: %v", want, err)
		}
		if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(scanned, want) {
			t.Errorf("%T came back as %+v and %+v, want %+v", want, got, scanned, want)
		}
	}
}

func TestRecordsRoundTrip(t *testing.T) {
	content := id("content")
	full := index.Object{
		Content: content, Type: "Multipart", ETag: "ABC-2", Size: math.MaxInt64, CRC64: math.MaxUint64, Parts: index.MaxParts,
		Modified: moment, Attributes: attributes, Encryption: encryption, Checksum: checksum, MD5: make([]byte, 16), MAC: mac, UploadMAC: mac,
	}
	roundTrip(t, index.HeaderKey(), index.Header{Format: math.MaxUint32, StoreID: [16]byte{1}, Created: moment})
	roundTrip(t, index.BucketKey("b"), index.Bucket{Created: moment, Rules: "oss", Dedup: "none", Generation: index.Generation{1}}, index.Bucket{Created: time.Unix(0, 0).UTC()},
		index.Bucket{Created: time.Unix(0, -1).UTC()})
	roundTrip(t, index.UploadKey("b", "k", content), index.Upload{
		Generation: index.Generation{1}, Initiated: moment, Attributes: attributes, Encryption: encryption, Checksum: checksum, Sequential: true, Digest: []byte("state"),
		MD5: make([]byte, 16), Watched: moment, MAC: mac,
	})
	roundTrip(t, index.PartKey(content, 1), index.Part{
		ETag: [16]byte{1}, Size: 5 << 30, CRC64: 1, Modified: moment, Manifest: index.ManifestID(content), Chunks: 5120,
		Inline: true, Checksum: []byte{1}, Scope: index.Scope{Kind: index.ScopeBucket, ID: [16]byte{1}}, MAC: mac,
	}, index.Part{Scope: index.Scope{Kind: index.ScopePart}})
	roundTrip(t, index.InlineKey(index.ManifestID(content)), index.Inline{PageChunk: page.Chunks[0], Frame: make([]byte, 64<<10), MAC: mac})
	roundTrip(t, index.SharedKey(content), index.Shared{Owners: math.MaxUint64})
	roundTrip(t, index.CompletedKey(content), index.Completed{Bucket: "b", Key: "k", Generation: index.Generation{2}, List: [16]byte{1}, Object: full})
	roundTrip(t, index.PageKey(index.ManifestID(content), 0), page, index.Page{Chunks: make([]index.PageChunk, index.MaxPageChunks)})
	roundTrip(t, index.DirectoryKey(content, 0), directory, index.Directory{Parts: make([]index.DirectoryPart, index.MaxPageParts)})
	roundTrip(t, index.ObjectKey("b", "k"), full, index.Object{ETag: "x"})
	roundTrip(t, index.ChunkKey(index.ChunkID{1}), index.Chunk{Volume: math.MaxUint64, Offset: math.MaxUint32, Stored: index.MaxChunkSize + 4<<10, Refs: math.MaxUint64, Damaged: true})
	roundTrip(t, index.VolumeKey(1), index.Volume{LiveBytes: math.MaxInt64, LiveChunks: math.MinInt64})
	roundTrip(t, index.TotalsKey(), index.Totals{Objects: 1, Uploads: 2, Parts: 3, Chunks: 4, References: 5, LogicalBytes: 6, StoredBytes: -7, InlineBytes: 8, Completed: 9, Damaged: 10, TrashParts: 11, TrashBytes: -12})
	roundTrip(t, index.AnswerQueue().Key(1), index.Answer{Upload: content, Given: moment})
	roundTrip(t, index.IdleKey(moment, content), index.Idle{Bucket: "b", Key: "k"})
}

// TestTrashRoundTrip is apart because trash has no zero value that can be stored.
func TestTrashRoundTrip(t *testing.T) {
	store := index.NewMemory()
	defer store.Close()
	for _, want := range []index.Trash{
		{Kind: index.TrashContent, ID: id("trash"), Queued: moment, Parts: 10_000, Bytes: math.MaxInt64},
		{Kind: index.TrashManifest},
	} {
		key := index.WaitingKey(id("trash"))
		err := store.Update(t.Context(), func(tx index.Tx) error {
			if err := index.Put(tx, key, &want); err != nil {
				return err
			}
			got, err := index.Get(tx, key)
			if got != want {
				t.Errorf("trash came back as %+v, want %+v", got, want)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestTimesAreUTC(t *testing.T) {
	store := index.NewMemory()
	defer store.Close()
	err := store.Update(t.Context(), func(tx index.Tx) error {
		there := moment.In(time.FixedZone("elsewhere", 3600))
		if err := index.Put(tx, index.BucketKey("b"), &index.Bucket{Created: there}); err != nil {
			return err
		}
		got, err := index.Get(tx, index.BucketKey("b"))
		if !got.Created.Equal(moment) || got.Created.Location() != time.UTC {
			t.Errorf("time came back as %v, want %v", got.Created, moment)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestRecordBytes pins one whole record: it is on disk.
func TestRecordBytes(t *testing.T) {
	const want = "01" + "07" + "8020" + "80808001" + "03" + "00" + "597fba18"
	store := index.NewMemory()
	defer store.Close()
	err := store.Update(t.Context(), func(tx index.Tx) error {
		key := index.ChunkKey(index.ChunkID{1})
		if err := index.Put(tx, key, &index.Chunk{Volume: 7, Offset: 4096, Stored: 1 << 21, Refs: 3}); err != nil {
			return err
		}
		raw, err := tx.Get(key)
		if got := hex.EncodeToString(raw); got != want {
			t.Errorf("record is %s, want %s", got, want)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestOverLimits(t *testing.T) {
	store := index.NewMemory()
	defer store.Close()
	text := func(n int) string { return strings.Repeat("x", n) }
	many := make(map[string]string)
	for i := range 8<<10 + 1 {
		many[text(i%16)+string(rune(i+100))] = ""
	}
	object, upload := index.ObjectKey("b", "k"), index.UploadKey("b", "k", id(""))
	for name, put := range map[string]func(index.Tx) error{
		"rules": func(tx index.Tx) error { return index.Put(tx, index.BucketKey("b"), &index.Bucket{Rules: text(256)}) },
		"old time": func(tx index.Tx) error {
			return index.Put(tx, index.BucketKey("b"), &index.Bucket{Created: moment.AddDate(-900, 0, 0)})
		},
		"far time": func(tx index.Tx) error {
			return index.Put(tx, index.BucketKey("b"), &index.Bucket{Created: moment.AddDate(900, 0, 0)})
		},
		"smallest time": func(tx index.Tx) error {
			return index.Put(tx, index.BucketKey("b"), &index.Bucket{Created: time.Unix(0, math.MinInt64)})
		},
		"header": func(tx index.Tx) error {
			return index.Put(tx, upload, &index.Upload{Attributes: index.Attributes{ContentType: text(4097)}})
		},
		"metadata": func(tx index.Tx) error {
			return index.Put(tx, upload, &index.Upload{Attributes: index.Attributes{Metadata: map[string]string{"a": text(9 << 10), "b": text(9 << 10)}}})
		},
		"tags": func(tx index.Tx) error {
			return index.Put(tx, upload, &index.Upload{Attributes: index.Attributes{Tags: many}})
		},
		"wrapped key": func(tx index.Tx) error {
			return index.Put(tx, upload, &index.Upload{Encryption: index.Encryption{WrappedKey: make([]byte, 64<<10+1)}})
		},
		"checksum": func(tx index.Tx) error {
			return index.Put(tx, object, &index.Object{Checksum: index.Checksum{Value: make([]byte, 65)}})
		},
		"digest": func(tx index.Tx) error { return index.Put(tx, upload, &index.Upload{Digest: make([]byte, 513)}) },
		"MD5":    func(tx index.Tx) error { return index.Put(tx, upload, &index.Upload{MD5: make([]byte, 65)}) },
		"inline": func(tx index.Tx) error {
			return index.Put(tx, index.InlineKey(index.ManifestID{}), &index.Inline{Frame: make([]byte, 64<<10+1)})
		},
		"chunk": func(tx index.Tx) error {
			chunks := []index.PageChunk{{Size: index.MaxChunkSize + 1}}
			return index.Put(tx, index.PageKey(index.ManifestID{}, 0), &index.Page{Chunks: chunks})
		},
		"chunk in the index": func(tx index.Tx) error {
			return index.Put(tx, index.InlineKey(index.ManifestID{}), &index.Inline{PageChunk: index.PageChunk{Size: index.MaxChunkSize + 1}})
		},
		"stored chunk": func(tx index.Tx) error {
			return index.Put(tx, index.ChunkKey(index.ChunkID{}), &index.Chunk{Stored: index.MaxChunkSize + 4<<10 + 1})
		},
		"negative size": func(tx index.Tx) error { return index.Put(tx, object, &index.Object{Size: -1}) },
		"many parts":    func(tx index.Tx) error { return index.Put(tx, object, &index.Object{Parts: index.MaxParts + 1}) },
		"parts":         func(tx index.Tx) error { return index.Put(tx, object, &index.Object{Parts: -1}) },
		"dedup":         func(tx index.Tx) error { return index.Put(tx, index.BucketKey("b"), &index.Bucket{Dedup: text(256)}) },
		"scope of a new kind": func(tx index.Tx) error {
			return index.Put(tx, index.PartKey(id(""), 1), &index.Part{Scope: index.Scope{Kind: index.ScopePart + 1}})
		},
		"scope of the store with an id": func(tx index.Tx) error {
			return index.Put(tx, index.PartKey(id(""), 1), &index.Part{Scope: index.Scope{ID: [16]byte{1}}})
		},
		"chunks": func(tx index.Tx) error { return index.Put(tx, index.PartKey(id(""), 1), &index.Part{Chunks: -1}) },
		"page": func(tx index.Tx) error {
			return index.Put(tx, index.PageKey(index.ManifestID{}, 0), &index.Page{Chunks: make([]index.PageChunk, index.MaxPageChunks+1)})
		},
		"directory": func(tx index.Tx) error {
			return index.Put(tx, index.DirectoryKey(id(""), 0), &index.Directory{Parts: make([]index.DirectoryPart, index.MaxPageParts+1)})
		},
		"trash without a kind": func(tx index.Tx) error { return index.Put(tx, index.WaitingKey(id("")), &index.Trash{}) },
		"trash of a new kind":  func(tx index.Tx) error { return index.Put(tx, index.WaitingKey(id("")), &index.Trash{Kind: 3}) },
	} {
		if err := store.Update(t.Context(), put); !errors.Is(err, index.ErrInvalidRecord) {
			t.Errorf("%s: %v, want ErrInvalidRecord", name, err)
		}
	}
}

func TestDamagedRecords(t *testing.T) {
	store := index.NewMemory()
	defer store.Close()
	key, other := index.ObjectKey("b", "k"), index.ObjectKey("b", "l")
	err := store.Update(t.Context(), func(tx index.Tx) error {
		if err := index.Put(tx, key, &index.Object{ETag: "x", Modified: moment}); err != nil {
			return err
		}
		good, err := tx.Get(key)
		if err != nil {
			return err
		}
		wantCorrupt := func(name string, key index.Key[index.Object], value []byte) {
			t.Helper()
			if err := tx.Put(key, value); err != nil {
				t.Fatal(err)
			}
			_, err := index.Get(tx, key)
			if corrupt, ok := errors.AsType[*index.CorruptionError](err); !ok || !strings.Contains(corrupt.Where, string(key[len(key)-1:])) {
				t.Errorf("%s: %v, want a CorruptionError that names the key", name, err)
			}
			var scanned error
			for _, scanned = range index.Scan(tx, index.ObjectsOf("b")) {
			}
			if scanned == nil {
				t.Errorf("%s: a scan shows it", name)
			}
		}
		for bit := range len(good) * 8 {
			bad := bytes.Clone(good)
			bad[bit/8] ^= 1 << (bit % 8)
			wantCorrupt("flipped bit", key, bad)
		}
		for n := range good {
			wantCorrupt("cut short", key, good[:n])
		}
		fields := good[1 : len(good)-4]
		wantCorrupt("a byte too many", key, index.Seal(key, 1, append(bytes.Clone(fields), 0)))
		wantCorrupt("a field too few", key, index.Seal(key, 1, fields[:len(fields)-1]))
		wantCorrupt("version 0", key, index.Seal(key, 0, fields))
		wantCorrupt("under another key", other, good)
		if err := tx.Put(key, index.Seal(key, 2, fields)); err != nil {
			return err
		}
		_, err = index.Get(tx, key)
		if version, ok := errors.AsType[*index.VersionError](err); !ok || version.Version != 2 || version.Supported != 1 {
			t.Errorf("a newer version: %v, want a VersionError", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestChunksOverLimits decodes records of chunks that are larger than any is: who believed them would make room for them.
func TestChunksOverLimits(t *testing.T) {
	store := index.NewMemory()
	defer store.Close()
	chunk := func(size uint64) []byte { return binary.AppendUvarint(make([]byte, 32), size) }
	pages, inline, stored := index.PageKey(index.ManifestID{}, 0), index.InlineKey(index.ManifestID{}), index.ChunkKey(index.ChunkID{})
	for _, over := range []uint64{0, 1, 1 << 30, math.MaxUint32} {
		err := store.Update(t.Context(), func(tx index.Tx) error {
			put := errors.Join(
				tx.Put(pages, index.Seal(pages, 1, append([]byte{0, 0, 1}, chunk(index.MaxChunkSize+over)...))),
				tx.Put(inline, index.Seal(inline, 1, append(chunk(index.MaxChunkSize+over), 0, 0))),
				tx.Put(stored, index.Seal(stored, 1, append(binary.AppendUvarint([]byte{1, 0}, index.MaxChunkSize+4<<10+over), 1, 0))))
			_, err := index.Get(tx, pages)
			_, err2 := index.Get(tx, inline)
			_, err3 := index.Get(tx, stored)
			for what, err := range map[string]error{"page": err, "inline": err2, "chunk": err3} {
				if _, corrupt := errors.AsType[*index.CorruptionError](err); err != nil != (over > 0) || corrupt != (over > 0) {
					t.Errorf("%s, %d over the limit: %v", what, over, err)
				}
			}
			return put
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// TestPartsOverLimit decodes an object of more parts than there are numbers: who copies one makes a list of them.
func TestPartsOverLimit(t *testing.T) {
	store := index.NewMemory()
	defer store.Close()
	err := store.Update(t.Context(), func(tx index.Tx) error {
		key := index.ObjectKey("b", "k")
		if err := index.Put(tx, key, &index.Object{Parts: index.MaxParts}); err != nil {
			return err
		}
		good, err := tx.Get(key)
		if err != nil {
			return err
		}
		most := binary.AppendUvarint(nil, index.MaxParts)
		fields := bytes.Replace(good[1:len(good)-4], most, binary.AppendUvarint(nil, index.MaxParts+1), 1)
		if err := tx.Put(key, index.Seal(key, 1, fields)); err != nil {
			return err
		}
		if obj, err := index.Get(tx, key); err == nil {
			t.Errorf("an object of %d parts", obj.Parts)
		} else if _, corrupt := errors.AsType[*index.CorruptionError](err); !corrupt {
			t.Error(err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// FuzzRecords decodes fields of any bytes, under a right checksum, as every type of record. What is accepted is encoded to the same
// bytes, so there is one encoding of each record only.
func FuzzRecords(f *testing.F) {
	store := index.NewMemory()
	defer store.Close()
	key := []byte("key")
	err := store.Update(f.Context(), func(tx index.Tx) error {
		content := id("content")
		put := errors.Join(
			index.Put(tx, index.HeaderKey(), &index.Header{Format: 300, Created: moment}),
			index.Put(tx, index.BucketKey("b"), &index.Bucket{Created: moment, Rules: "oss"}),
			index.Put(tx, index.UploadKey("b", "k", content), &index.Upload{Attributes: attributes, Encryption: encryption}),
			index.Put(tx, index.PartKey(content, 1), &index.Part{Size: 300, Modified: moment, Chunks: 3}),
			index.Put(tx, index.PartKey(content, 2), &index.Part{Scope: index.Scope{Kind: index.ScopePart, ID: content}}),
			index.Put(tx, index.PageKey(index.ManifestID(content), 0), &page),
			index.Put(tx, index.DirectoryKey(content, 0), &directory),
			index.Put(tx, index.ObjectKey("b", "k"), &index.Object{ETag: "x", Attributes: attributes, Encryption: encryption}),
			index.Put(tx, index.ChunkKey(index.ChunkID{1}), &index.Chunk{Volume: 300, Offset: 300, Stored: 300, Refs: 300}),
			index.Put(tx, index.VolumeKey(1), &index.Volume{LiveBytes: 300, LiveChunks: -1}),
			index.Put(tx, index.WaitingKey(content), &index.Trash{Kind: index.TrashContent}),
			index.Put(tx, index.InlineKey(index.ManifestID(content)), &index.Inline{PageChunk: page.Chunks[0], Frame: []byte("frame")}),
			index.Put(tx, index.SharedKey(content), &index.Shared{Owners: 2}),
			index.Put(tx, index.CompletedKey(content), &index.Completed{Bucket: "b", Key: "k", Object: index.Object{Checksum: checksum}}),
			index.Put(tx, index.TotalsKey(), &index.Totals{Objects: 300}))
		for item, err := range tx.Scan(nil, nil) {
			if err != nil {
				return err
			}
			f.Add(item.Value[1 : len(item.Value)-4])
		}
		return put
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(make([]byte, 9))                                                           // trash without a kind
	f.Add(append(make([]byte, 14), "\x02\x01b\x00\x01a\x00\x00\x00\x00\x00\x00"...)) // an upload with metadata out of order
	f.Add(append(make([]byte, 14), "\x02\x01a\x00\x01a\x00\x00\x00\x00\x00\x00"...)) // and with the same name twice
	f.Add([]byte("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"))
	f.Add([]byte("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01\x80\x00"))
	f.Fuzz(func(t *testing.T, fields []byte) {
		sealed := index.Seal(key, 1, fields)
		for i, recode := range index.Records {
			again, err := recode(key, sealed)
			if err != nil {
				if _, ok := errors.AsType[*index.CorruptionError](err); !ok {
					t.Errorf("record type %d: %v, want a CorruptionError", i, err)
				}
				continue
			}
			if !bytes.Equal(again, sealed) {
				t.Errorf("record type %d: %x is encoded again as %x", i, sealed, again)
			}
		}
	})
}
