package index_test

import (
	"bytes"
	"cmp"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/index"
)

func id(s string) (id index.ContentID) {
	copy(id[:], s)
	return id
}

// TestKeyForms pins the bytes of one key of each table: they are on disk.
func TestKeyForms(t *testing.T) {
	var chunk index.ChunkID
	copy(chunk[:], "0123456789abcdef0123456789abcdef")
	content := id("0123456789abcdef")
	for want, got := range map[string][]byte{
		"H":       index.HeaderKey(),
		"S":       index.TotalsKey(),
		"Bbucket": index.BucketKey("bucket"),
		"Ub\x00k\x00\xFFy\x00\x010123456789abcdef":          index.UploadKey("b", "k\x00y", content),
		"P0123456789abcdef\x27\x10":                         index.PartKey(content, 10_000),
		"M0123456789abcdef\x00\x01\x00\x02":                 index.PageKey(index.ManifestID(content), 0x10002),
		"Ob\x00k\x00y":                                      index.ObjectKey("b", "k\x00y"),
		"C0123456789abcdef0123456789abcdef":                 index.ChunkKey(chunk),
		"V\x01\x00\x00\x00\x00\x00\x00\x02":                 index.VolumeKey(1<<56 + 2),
		"T\x01\x00\x00\x00\x00\x00\x00\x02":                 index.TrashQueue().Key(1<<56 + 2),
		"A\x00\x00\x00\x00\x00\x00\x00\x02":                 index.AnswerQueue().Key(2),
		"E\x80\x00\x00\x00\x00\x00\x00\x020123456789abcdef": index.IdleKey(time.Unix(0, 2), content),
		"W0123456789abcdef":                                 index.WaitingKey(content),
		"I0123456789abcdef":                                 index.InlineKey(index.ManifestID(content)),
		"R0123456789abcdef":                                 index.SharedKey(content),
		"D0123456789abcdef":                                 index.CompletedKey(content),
		"L0123456789abcdef\x01\x02":                         index.DirectoryKey(content, 0x102),
		"N0123456789abcdef":                                 index.NodeKey(index.NodeID(content)),
		"F":                                                 index.FleetKey(),
		"X\x00\x00\x00\x00\x00\x00\x00\x02":                 index.CondemnedKey(2),
	} {
		if string(got) != want {
			t.Errorf("key is %q, want %q", got, want)
		}
	}
}

func TestInvalidNames(t *testing.T) {
	long := strings.Repeat("k", 1025)
	for name, key := range map[string][]byte{
		"empty bucket":          index.BucketKey(""),
		"bucket with zero byte": index.BucketKey("a\x00b"),
		"long bucket":           index.BucketKey(strings.Repeat("b", 64)),
		"bucket of an object":   index.ObjectKey("a\x00b", "c"),
		"bucket of an upload":   index.UploadKey("", "c", id("")),
		"long object key":       index.ObjectKey("b", long),
		"long upload key":       index.UploadKey("b", long, id("")),
		"negative part":         index.PartKey(id(""), -1),
		"part over 65535":       index.PartKey(id(""), math.MaxUint16+1),
		"negative page":         index.PageKey(index.ManifestID{}, -1),
		"directory page":        index.DirectoryKey(id(""), math.MaxUint16+1),
	} {
		if len(key) != 0 {
			t.Errorf("%s: key is %q, want none", name, key)
		}
	}
	store := index.NewMemory()
	defer store.Close()
	err := store.Update(t.Context(), func(tx index.Tx) error {
		bad := index.ObjectKey("a\x00b", "c")
		_, err := index.Get(tx, bad)
		for _, err := range []error{err, index.Put(tx, bad, &index.Object{}), index.Delete(tx, bad)} {
			if !errors.Is(err, index.ErrInvalidKey) {
				t.Errorf("access under no key: %v, want ErrInvalidKey", err)
			}
		}
		for range index.Scan(tx, index.ObjectsOf("a\x00b")) {
			t.Error("a bucket that cannot exist has objects")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestContentID(t *testing.T) {
	content := id("\x00\x1F\xAB0123456789abc")
	text := "001FAB30313233343536373839616263"
	if content.String() != text {
		t.Errorf("String() = %s, want %s", content, text)
	}
	if got, ok := index.ParseContentID(text); !ok || got != content {
		t.Errorf("ParseContentID(%s) = %s, %v", text, got, ok)
	}
	for _, bad := range []string{"", text[1:], text + "0", strings.ToLower(text), "g" + text[1:], " " + text[1:], text[:30] + "é"} {
		if _, ok := index.ParseContentID(bad); ok {
			t.Errorf("ParseContentID(%q) is accepted", bad)
		}
	}
}

// FuzzUploadKey: the order of the encoded keys is the order of (bucket's key, id), and parsing
// reverses building.
func FuzzUploadKey(f *testing.F) {
	for _, seed := range [][2]string{{"a", "a\x00"}, {"a\x00", "a\x00\x00"}, {"a\x01", "a\x00\xFF"}, {"", "\x00"}, {"a", "b"}, {"\xFF", ""}} {
		f.Add(seed[0], "0", seed[1], "1")
		f.Add(seed[0], "1", seed[0], "0")
	}
	f.Fuzz(func(t *testing.T, keyA, idA, keyB, idB string) {
		a, b := index.UploadKey("bucket", keyA, id(idA)), index.UploadKey("bucket", keyB, id(idB))
		if a == nil || b == nil {
			if len(keyA) <= 1024 && len(keyB) <= 1024 {
				t.Errorf("no key for %q or %q", keyA, keyB)
			}
			return
		}
		x, y := id(idA), id(idB)
		want := cmp.Or(strings.Compare(keyA, keyB), bytes.Compare(x[:], y[:]))
		if got := bytes.Compare(a, b); got != want {
			t.Errorf("order of %q and %q is %d, want %d", a, b, got, want)
		}
		bucket, key, got, err := index.ParseUploadKey(a)
		if bucket != "bucket" || key != keyA || got != x || err != nil {
			t.Errorf("ParseUploadKey(%q) = %q, %q, %s, %v", a, bucket, key, got, err)
		}
	})
}

// FuzzParseKeys: whatever a parser accepts is what a builder makes.
func FuzzParseKeys(f *testing.F) {
	for _, key := range [][]byte{
		index.BucketKey("bucket"), index.UploadKey("b", "k\x00y", id("1")), index.PartKey(id("1"), 7), index.PageKey(index.ManifestID{}, 7),
		index.ObjectKey("b", "k\x00y"), index.ChunkKey(index.ChunkID{1}), index.VolumeKey(7), index.WaitingKey([16]byte{1}), index.TrashQueue().Key(7),
		index.AnswerQueue().Key(7), index.IdleKey(time.Unix(7, 0), id("1")),
		index.InlineKey(index.ManifestID{1}), index.SharedKey(id("1")), index.CompletedKey(id("1")), index.DirectoryKey(id("1"), 7),
		index.NodeKey(index.NodeID{1}), index.CondemnedKey(7),
		[]byte("Ub\x00k\x00"), []byte("Ub\x00k\x00\x02"), []byte("U"), {},
	} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var rebuilt [][]byte
		keep := func(err error, key []byte) {
			if err == nil {
				rebuilt = append(rebuilt, key)
			} else if _, ok := errors.AsType[*index.CorruptionError](err); !ok {
				t.Errorf("error of a parser is %v", err)
			}
		}
		bucket, err := index.ParseBucketKey(raw)
		keep(err, index.BucketKey(bucket))
		bucket, key, content, err := index.ParseUploadKey(raw)
		keep(err, index.UploadKey(bucket, key, content))
		content, number, err := index.ParsePartKey(raw)
		keep(err, index.PartKey(content, number))
		manifest, page, err := index.ParsePageKey(raw)
		keep(err, index.PageKey(manifest, page))
		content, page, err = index.ParseDirectoryKey(raw)
		keep(err, index.DirectoryKey(content, page))
		bucket, key, err = index.ParseObjectKey(raw)
		keep(err, index.ObjectKey(bucket, key))
		chunk, err := index.ParseChunkKey(raw)
		keep(err, index.ChunkKey(chunk))
		volume, err := index.ParseVolumeKey(raw)
		keep(err, index.VolumeKey(volume))
		place, err := index.TrashQueue().ParseKey(raw)
		keep(err, index.TrashQueue().Key(place))
		place, err = index.AnswerQueue().ParseKey(raw)
		keep(err, index.AnswerQueue().Key(place))
		used, content, err := index.ParseIdleKey(raw)
		keep(err, index.IdleKey(used, content))
		manifest, err = index.ParseInlineKey(raw)
		keep(err, index.InlineKey(manifest))
		content, err = index.ParseSharedKey(raw)
		keep(err, index.SharedKey(content))
		content, err = index.ParseCompletedKey(raw)
		keep(err, index.CompletedKey(content))
		node, err := index.ParseNodeKey(raw)
		keep(err, index.NodeKey(node))
		volume, err = index.ParseCondemnedKey(raw)
		keep(err, index.CondemnedKey(volume))
		if len(rebuilt) > 1 {
			t.Errorf("%q belongs to %d tables", raw, len(rebuilt))
		}
		for _, key := range rebuilt {
			if !bytes.Equal(key, raw) {
				t.Errorf("%q is parsed as what is built as %q", raw, key)
			}
		}
	})
}

// FuzzIDAfter compares the search for the next upload id with the order of texts that it stands
// for.
func FuzzIDAfter(f *testing.F) {
	full := strings.Repeat("F", 32)
	for _, marker := range []string{"", "0", "A", "a", "9:", "/", "G", "F", "FG", "1FFG", full, full[1:] + "E", full[2:] + "0FF", full[1:], "0" + full, "é"} {
		f.Add(marker)
	}
	f.Fuzz(func(t *testing.T, marker string) {
		got, ok := index.IDAfter(marker)
		if !ok {
			if full > marker {
				t.Errorf("no id after %q", marker)
			}
			return
		}
		if got.String() <= marker {
			t.Errorf("id after %q is %s", marker, got)
		}
		before := got
		for i := len(before) - 1; i >= 0; i-- { // the id just before
			before[i]--
			if before[i] != 0xFF {
				break
			}
		}
		if before.String() > marker && before.String() < got.String() {
			t.Errorf("id after %q is %s, but %s is too", marker, got, before)
		}
	})
}

// FuzzListing compares the ranges of listings with what they stand for, over keys that are easy to
// get wrong.
func FuzzListing(f *testing.F) {
	f.Add("a", "a/b", "0", "a/")
	f.Add("", "\x00", "G", "\xFF\xFF")
	f.Add("a\x00", "a", "8", "a\x00")
	f.Add("a", "a\x00", "80000000000000000000000000000000", "")
	keys := []string{"\x00", "\x00\x01", "a", "a\x00", "a\x00\x00", "a\x00\x01", "a\x00b", "a\x01", "a/", "a/b", "a/b/c", "a0", "b", "\xFE", "\xFF", "\xFF\xFF", "\xFF\xFFx"}
	ids := []index.ContentID{id("\x00"), id("\x7F\xFF"), id("\x80"), id(strings.Repeat("\xFF", 16))}
	f.Fuzz(func(t *testing.T, prefix, marker, idMarker, common string) {
		within := func(key []byte, start, end []byte) bool {
			return bytes.Compare(start, key) <= 0 && bytes.Compare(key, end) < 0
		}
		inObjects := func(rg index.Range[index.Object], key string) bool {
			return within(index.ObjectKey("bucket", key), rg.Start, rg.End)
		}
		inUploads := func(rg index.Range[index.Upload], key string, id index.ContentID) bool {
			return within(index.UploadKey("bucket", key, id), rg.Start, rg.End)
		}
		behindCommon := func(key string) bool { return key > common && !strings.HasPrefix(key, common) }
		for _, key := range keys {
			listed := strings.HasPrefix(key, prefix)
			if want := listed && key > marker; inObjects(index.ObjectsAfter("bucket", prefix, marker), key) != want {
				t.Errorf("object %q with prefix %q after %q: want %v", key, prefix, marker, want)
			}
			if want := listed && behindCommon(key); inObjects(index.ObjectsAfterPrefix("bucket", common, prefix), key) != want {
				t.Errorf("object %q with prefix %q behind prefix %q: want %v", key, prefix, common, want)
			}
			for _, id := range ids {
				after := key > marker || key == marker && marker != "" && idMarker != "" && id.String() > idMarker
				if want := listed && after; inUploads(index.UploadsAfter("bucket", prefix, marker, idMarker), key, id) != want {
					t.Errorf("upload %q, %s with prefix %q after %q, %q: want %v", key, id, prefix, marker, idMarker, want)
				}
				if want := listed && behindCommon(key); inUploads(index.UploadsAfterPrefix("bucket", common, prefix), key, id) != want {
					t.Errorf("upload %q with prefix %q behind prefix %q: want %v", key, prefix, common, want)
				}
			}
		}
	})
}

// TestRanges puts a record under a few keys of each table, and looks which of them the other ranges
// take in.
func TestRanges(t *testing.T) {
	last := id(strings.Repeat("\xFF", 16))
	parts := []index.Key[index.Part]{
		index.PartKey(id("a"), 0), index.PartKey(id("a"), 1), index.PartKey(id("a"), 65535), index.PartKey(id("b"), 1), index.PartKey(last, 1),
	}
	check := func(name string, rg index.Range[index.Part], want ...int) {
		t.Helper()
		var got []int
		for i, key := range parts {
			if bytes.Compare(rg.Start, key) <= 0 && bytes.Compare(key, rg.End) < 0 {
				got = append(got, i)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s takes in %v, want %v", name, got, want)
		}
	}
	check("PartsOf", index.PartsOf(id("a")), 0, 1, 2)
	check("PartsOf the last", index.PartsOf(last), 4)
	check("PartsAfter -1", index.PartsAfter(id("a"), -1), 0, 1, 2)
	check("PartsAfter 0", index.PartsAfter(id("a"), 0), 1, 2)
	check("PartsAfter 1", index.PartsAfter(id("a"), 1), 2)
	check("PartsAfter 65535", index.PartsAfter(id("a"), 65535))
	check("PartsAfter 1<<40", index.PartsAfter(id("a"), 1<<40))

	pages := index.PagesOf(index.ManifestID(id("a")))
	if key := index.PageKey(index.ManifestID(id("a")), math.MaxUint32); bytes.Compare(key, pages.End) >= 0 {
		t.Error("PagesOf ends before the last page")
	}
	if key := index.PageKey(index.ManifestID(id("b")), 0); bytes.Compare(key, pages.End) < 0 {
		t.Error("PagesOf goes on into the next manifest")
	}
}
