package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/badger"
)

// A goldenDamage is what befalls a store that was closed.
type goldenDamage struct {
	name string
	hit  func(t *testing.T, dir string)
	to   string // the store that it befalls; "few" by default
}

// goldenDamages are what the disk, or somebody, does to the files of a store, and to its records
// under right checksums.
var goldenDamages = []goldenDamage{
	{name: "bit-in-a-chunk", hit: bitInChunk},
	{name: "volume-missing", hit: volumeMissing},
	{name: "volume-cut-short", hit: volumeCutShort},
	{name: "bit-in-a-table", hit: bitInTable},
	{name: "sums-missing", hit: sumsMissing},
	{name: "table-missing", hit: tableMissing},
	{name: "format-damaged", hit: formatDamaged},
	{name: "format-newer", hit: formatNewer},
	{name: "format-of-another-store", hit: formatOfAnotherStore},
	{name: "record-damaged", hit: recordDamaged},
	{name: "record-newer", hit: recordNewer},
	{name: "chunks-exchanged", hit: chunksExchanged},
	{name: "sealed-chunks-exchanged", hit: sealedChunksExchanged},
	{name: "checksum-of-a-chunk", hit: checksumOfChunk},
	{name: "references-miscounted", hit: referencesMiscounted},
	{name: "part-missing", hit: partMissing},
	{name: "badger-bit-in-a-chunk", hit: bitInChunk, to: "badger-few"},
	{name: "badger-volume-missing", hit: volumeMissing, to: "badger-few"},
	{name: "badger-volume-cut-short", hit: volumeCutShort, to: "badger-few"},
	{name: "badger-value-log-missing", hit: valueLogMissing, to: "badger-few"},
	{name: "badger-keys-damaged", hit: keysDamaged, to: "badger-few"},
}

// only returns the one file that a pattern names in a store; the first one, if there are several.
func only(t *testing.T, dir, pattern string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no file is %s, %v", pattern, err)
	}
	slices.Sort(paths)
	return paths[0]
}

// rewrite changes the content of a file.
func rewrite(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, change(data), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// records changes records of the index of a closed store.
func records(t *testing.T, dir string, change func(tx index.Tx) error) {
	t.Helper()
	idx, err := badger.Open(t.Context(), filepath.Join(dir, "index"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(idx.Update(t.Context(), change), idx.Close()); err != nil {
		t.Fatal(err)
	}
}

// bitInChunk flips a bit in a chunk of object noise, which lies in its volume as it is.
func bitInChunk(t *testing.T, dir string) {
	path, at := findBytes(t, dir, noise()[2*goldenChunk:][:100])
	flipBit(t, path, at+100, 0)
}

// volumeMissing removes a volume.
func volumeMissing(t *testing.T, dir string) {
	removeVolume(t, volumeLogs(t, dir)[0])
}

// volumeCutShort lets a volume end in its middle.
func volumeCutShort(t *testing.T, dir string) {
	rewrite(t, volumeLogs(t, dir)[0], func(data []byte) []byte { return data[:len(data)/2] })
}

// valueLogMissing takes the file with the chunks out of a volume.
func valueLogMissing(t *testing.T, dir string) {
	if err := os.Remove(volumeLogs(t, dir)[0]); err != nil {
		t.Fatal(err)
	}
}

// keysDamaged destroys what Badger has beside the chunks of a volume. Nothing else needs it.
func keysDamaged(t *testing.T, dir string) {
	for _, name := range []string{"*.sst", "MANIFEST", "KEYREGISTRY"} {
		rewrite(t, only(t, dir, "volumes/*.badger/"+name), func(data []byte) []byte {
			return data[:len(data)/2]
		})
	}
}

// bitInTable flips a bit in a table of the index.
func bitInTable(t *testing.T, dir string) {
	rewrite(t, only(t, dir, "index/*/*.sst"), func(data []byte) []byte {
		data[len(data)/2] ^= 1
		return data
	})
}

// sumsMissing removes the list of the index's checksums, as a crash does.
func sumsMissing(t *testing.T, dir string) {
	if err := os.Remove(only(t, dir, "index/*/SUMS")); err != nil {
		t.Fatal(err)
	}
}

// tableMissing removes a table of the index.
func tableMissing(t *testing.T, dir string) {
	if err := os.Remove(only(t, dir, "index/*/*.sst")); err != nil {
		t.Fatal(err)
	}
}

func formatDamaged(t *testing.T, dir string) {
	rewrite(t, filepath.Join(dir, "FORMAT"), func(data []byte) []byte {
		data[len("gabion store 1 ")] ^= 1
		return data
	})
}

// formatNewer makes the store one of a newer format.
func formatNewer(t *testing.T, dir string) {
	rewrite(t, filepath.Join(dir, "FORMAT"), func(data []byte) []byte {
		line := bytes.Replace(data[:bytes.LastIndexByte(data, ' ')], []byte("store 1"), []byte("store 2"), 1)
		return fmt.Appendf(nil, "%s %08x\n", line, crc32.Checksum(line, crc32.MakeTable(crc32.Castagnoli)))
	})
}

// formatOfAnotherStore puts the format file of another store there.
func formatOfAnotherStore(t *testing.T, dir string) {
	line := fmt.Appendf(nil, "gabion store 1 %032x", 1)
	line = fmt.Appendf(line, " %08x\n", crc32.Checksum(line, crc32.MakeTable(crc32.Castagnoli)))
	rewrite(t, filepath.Join(dir, "FORMAT"), func([]byte) []byte { return line })
}

// recordDamaged flips a bit in the record of an object, in a table whose checksum is right.
func recordDamaged(t *testing.T, dir string) {
	records(t, dir, func(tx index.Tx) error {
		key := index.ObjectKey("of-oss", "noise")
		value, err := tx.Get(key)
		if err != nil {
			return err
		}
		value[len(value)/2] ^= 1
		return tx.Put(key, value)
	})
}

// recordNewer makes the record of an object one of a newer version.
func recordNewer(t *testing.T, dir string) {
	records(t, dir, func(tx index.Tx) error {
		key := index.ObjectKey("of-oss", "noise")
		value, err := tx.Get(key)
		if err != nil {
			return err
		}
		return tx.Put(key, newer(key, value))
	})
}

// relist changes what the manifest of the first part of an object says.
func relist(t *testing.T, dir, key string, change func(chunks []index.PageChunk)) {
	t.Helper()
	records(t, dir, func(tx index.Tx) error {
		obj, err := index.Get(tx, index.ObjectKey("of-oss", key))
		if err != nil {
			return err
		}
		page := first(index.Scan(tx, index.PagesOf(first(index.Scan(tx, index.PartsOf(obj.Content))).Record.Manifest)))
		change(page.Record.Chunks)
		return index.Put(tx, page.Key, &page.Record)
	})
}

func exchange(chunks []index.PageChunk) { chunks[0], chunks[1] = chunks[1], chunks[0] }

// chunksExchanged exchanges two chunks of an object without encryption.
func chunksExchanged(t *testing.T, dir string) { relist(t, dir, "noise", exchange) }

// sealedChunksExchanged exchanges two chunks of an encrypted object, of which there are copies.
func sealedChunksExchanged(t *testing.T, dir string) { relist(t, dir, "partsAES256", exchange) }

// checksumOfChunk changes the checksum that a manifest says of a chunk.
func checksumOfChunk(t *testing.T, dir string) {
	relist(t, dir, "noise", func(chunks []index.PageChunk) { chunks[2].CRC64 ^= 1 })
}

// referencesMiscounted lets the record of a chunk count one reference too many.
func referencesMiscounted(t *testing.T, dir string) {
	records(t, dir, func(tx index.Tx) error {
		c := first(index.Scan(tx, index.Chunks()))
		c.Record.Refs++
		return index.Put(tx, c.Key, &c.Record)
	})
}

// partMissing removes the record of a part of an object, of which there is a copy.
func partMissing(t *testing.T, dir string) {
	records(t, dir, func(tx index.Tx) error {
		obj, err := index.Get(tx, index.ObjectKey("of-oss", "parts"))
		if err != nil {
			return err
		}
		return index.Delete(tx, first(index.Scan(tx, index.PartsOf(obj.Content))).Key)
	})
}
