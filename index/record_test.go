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
	roundTrip(t, index.HeaderKey(), header)
	roundTrip(t, index.BucketKey("b"), bucket, index.Bucket{Created: time.Unix(0, 0).UTC()}, index.Bucket{Created: time.Unix(0, -1).UTC()})
	roundTrip(t, index.UploadKey("b", "k", content), upload)
	roundTrip(t, index.PartKey(content, 1), part, index.Part{Scope: index.Scope{Kind: index.ScopePart}})
	roundTrip(t, index.InlineKey(index.ManifestID(content)), inline, index.Inline{Frame: make([]byte, 64<<10)})
	roundTrip(t, index.SharedKey(content), shared)
	roundTrip(t, index.CompletedKey(content), completed)
	roundTrip(t, index.PageKey(index.ManifestID(content), 0), page, index.Page{Chunks: make([]index.PageChunk, index.MaxPageChunks)})
	roundTrip(t, index.DirectoryKey(content, 0), directory, index.Directory{Parts: make([]index.DirectoryPart, index.MaxPageParts)})
	roundTrip(t, index.ObjectKey("b", "k"), object)
	roundTrip(t, index.ChunkKey(index.ChunkID{1}), chunk)
	roundTrip(t, index.VolumeKey(1), volume)
	roundTrip(t, index.TotalsKey(), totals)
	roundTrip(t, index.AnswerQueue().Key(1), answer)
	roundTrip(t, index.IdleKey(moment, content), idle)
}

// TestTrashRoundTrip is apart because trash has no zero value that can be stored.
func TestTrashRoundTrip(t *testing.T) {
	store := index.NewMemory()
	defer store.Close()
	for _, want := range []index.Trash{
		trash, {Kind: index.TrashManifest},
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
		wantCorrupt("a byte too many", key, index.Seal(key, good[0], append(bytes.Clone(fields), 0)))
		wantCorrupt("a field too few", key, index.Seal(key, good[0], fields[:len(fields)-1]))
		wantCorrupt("under another key", other, good)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestChunksOverLimits decodes records of chunks that are larger than any is: who believed them
// would make room for them.
func TestChunksOverLimits(t *testing.T) {
	store := index.NewMemory()
	defer store.Close()
	chunk := func(size uint64) []byte {
		return append(binary.AppendUvarint(make([]byte, 32), size), make([]byte, 8)...)
	}
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

// TestPartsOverLimit decodes an object of more parts than there are numbers: who copies one makes a
// list of them.
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

// FuzzRecords decodes fields of any bytes, of any version, under a right checksum, as every kind of
// record. What is accepted is encoded to the same bytes, so there is one encoding of each record
// only. Of an older version that is true of what it is written as.
func FuzzRecords(f *testing.F) {
	key := []byte("key")
	for _, kind := range index.Kinds {
		record, err := kind.Encode(key, samples[kind.Name].record)
		if err != nil {
			f.Fatal(err)
		}
		for version := byte(0); version <= kind.Version+1; version++ {
			f.Add(version, record[1:len(record)-4])
		}
	}
	f.Add(byte(1), make([]byte, 9))                                          // trash without a kind
	f.Add(byte(1), append(make([]byte, 6), "\x02\x01b\x00\x01a\x00\x00"...)) // metadata out of order
	f.Add(byte(1), append(make([]byte, 6), "\x02\x01a\x00\x01a\x00\x00"...)) // and with the same name twice
	f.Add(byte(1), []byte("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"))
	f.Add(byte(1), []byte("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01\x80\x00"))
	f.Fuzz(func(t *testing.T, version byte, fields []byte) {
		sealed := index.Seal(key, version, fields)
		for _, kind := range index.Kinds {
			again, older, err := kind.Recode(key, sealed)
			if err != nil {
				_, corrupt := errors.AsType[*index.CorruptionError](err)
				_, newer := errors.AsType[*index.VersionError](err)
				if corrupt == newer || version > kind.Version && !newer {
					t.Errorf("%s: %v, want a CorruptionError or, of a newer version, a VersionError", kind.Name, err)
				}
				continue
			}
			if older {
				sealed = again
				if again, older, err = kind.Recode(key, sealed); older || err != nil {
					t.Errorf("%s: %x, which was written again, is still old, or %v", kind.Name, sealed, err)
				}
			}
			if !bytes.Equal(again, sealed) {
				t.Errorf("%s: %x is encoded again as %x", kind.Name, sealed, again)
			}
		}
	})
}
