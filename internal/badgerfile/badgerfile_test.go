package badgerfile_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/gabion-storage/gabion/internal/badgerfile"
)

// quiet is a database that does nothing by itself.
func quiet(dir string) badger.Options {
	return badger.DefaultOptions(dir).WithLogger(nil).WithNumCompactors(0).WithCompactL0OnClose(false).
		WithCompression(options.None).WithBlockCacheSize(0).WithMemTableSize(1 << 20).
		WithValueLogFileSize(1 << 20).WithValueThreshold(1 << 10)
}

// names are the names of what is in a directory.
func names(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// TestFiles has Badger make a database: its files are called, while it is open and afterwards, as
// is said here, and its list of tables is what is written here, too.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	db, err := badger.OpenManaged(quiet(dir).WithBypassLockGuard(true))
	if err != nil {
		t.Fatal(err)
	}
	txn := db.NewTransactionAt(0, true)
	if err := txn.Set([]byte("key"), []byte("value")); err != nil {
		t.Fatal(err)
	}
	if err := txn.CommitAt(1, nil); err != nil {
		t.Fatal(err)
	}
	always := []string{
		"000001" + badgerfile.ValueLogSuffix, badgerfile.Discard, badger.KeyRegistryFileName,
		badger.ManifestFilename,
	}
	want := slices.Sorted(slices.Values(append([]string{badgerfile.LogName(1)}, always...)))
	if got := names(t, dir); !slices.Equal(got, want) {
		t.Errorf("of an open database there are %v, wanted are %v", got, want)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	want = slices.Sorted(slices.Values(append([]string{"000001" + badgerfile.TableSuffix}, always...)))
	if got := names(t, dir); !slices.Equal(got, want) {
		t.Errorf("of a closed database there are %v, wanted are %v", got, want)
	}
	manifest, err := os.ReadFile(filepath.Join(dir, badger.ManifestFilename))
	if err != nil {
		t.Fatal(err)
	}
	manifest = slices.Delete(manifest, 8, 16) // an empty change
	if want := badgerfile.Manifest(badgerfile.ListedTable{ID: 1}); !bytes.Equal(manifest, want) {
		t.Errorf("Badger's list of one table is %x, not %x", manifest, want)
	}
}

// TestLogNumber takes names of logs apart.
func TestLogNumber(t *testing.T) {
	for _, number := range []int{1, 99999, 100000, 1<<31 - 2} {
		if got, ok := badgerfile.LogNumber(badgerfile.LogName(number)); got != number || !ok {
			t.Errorf("log %d is %d, %v", number, got, ok)
		}
	}
	for _, name := range []string{
		"", ".mem", "00001", "1.mem", "000001.mem", "00000.mem", "-0001.mem", "+0001.mem",
		"2147483647.mem", "00001.mem.mem", "00001.sst", "x0001.mem", "99999999999999999999.mem",
	} {
		if number, ok := badgerfile.LogNumber(name); ok {
			t.Errorf("%q is log %d", name, number)
		}
	}
}

// TestManifest has Badger read what is written here: each table must be listed in its level, and
// all of them stand in one change.
func TestManifest(t *testing.T) {
	for _, tables := range [][]badgerfile.ListedTable{
		nil,
		{{ID: 1}},
		{{ID: 1, Level: 6}},
		{{ID: 127, Level: 6}, {ID: 128, Level: 1}, {ID: 1<<31 - 1}},
	} {
		data := badgerfile.Manifest(tables...)
		path := filepath.Join(t.TempDir(), badger.ManifestFilename)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		got, end, err := badger.ReplayManifestFile(f, 0, badger.Options{})
		f.Close()
		if err != nil || end != int64(len(data)) {
			t.Errorf("of %v Badger reads %d of %d bytes, %v", tables, end, len(data), err)
		}
		want := map[uint64]badger.TableManifest{}
		for _, table := range tables {
			want[table.ID] = badger.TableManifest{Level: table.Level}
		}
		if !maps.Equal(got.Tables, want) || got.Creations != len(tables) || got.Deletions != 0 {
			t.Errorf("of %v Badger reads %+v", tables, got)
		}
		if !bytes.HasPrefix(data, badgerfile.Manifest()) {
			t.Errorf("the list of %v does not begin as one of nothing", tables)
		}
	}
}
