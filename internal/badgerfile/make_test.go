package badgerfile_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"github.com/gabion-storage/gabion/internal/badgerfile"
	"github.com/gabion-storage/gabion/internal/disk"
)

// openDir opens a directory until the test ends.
func openDir(t *testing.T, path string) *disk.Dir {
	t.Helper()
	dir, err := disk.OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := dir.Close(); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// TestMake makes the files that Badger would make, each with its content and for its owner alone.
// Badger must take them as they are.
func TestMake(t *testing.T) {
	dir := openDir(t, t.TempDir())
	if err := dir.WriteFile(badger.ManifestFilename, badgerfile.Manifest()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(badgerfile.MakeKeyRegistry(dir), badgerfile.MakeDiscard(dir)); err != nil {
		t.Fatal(err)
	}
	made := map[string]string{}
	for _, name := range names(t, dir.Path()) {
		data, err := os.ReadFile(dir.Join(name))
		if err != nil {
			t.Fatal(err)
		}
		made[name] = string(data)
	}
	if n := len(made[badgerfile.Discard]); n != disk.BlockSize {
		t.Errorf("the notes of garbage have %d bytes", n)
	}
	if err := badgerfile.MakeKeyRegistry(dir); err != nil {
		t.Errorf("where there is a list of keys: %v", err)
	}
	db, err := badgerfile.Open(quiet(dir.Path()))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range made {
		got, err := os.ReadFile(dir.Join(name))
		if err != nil || string(got) != want {
			t.Errorf("%s is another after Badger had it open, %v", name, err)
		}
		info, err := dir.Lstat(name)
		if err != nil {
			t.Fatal(err)
		}
		if runtime.GOOS != "windows" && info.Mode() != disk.FileMode {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
}

// TestMakeKeyRegistryFull makes the list of keys on a disk that is full.
func TestMakeKeyRegistryFull(t *testing.T) {
	const full = "/dev/full"
	if _, err := os.Stat(full); err != nil {
		t.Skip("there is no device that is always full")
	}
	dir := openDir(t, t.TempDir())
	if err := os.Symlink(full, dir.Join(badger.KeyRegistryRewriteFileName)); err != nil {
		t.Fatal(err)
	}
	if err := badgerfile.MakeKeyRegistry(dir); !disk.IsNoSpace(err) {
		t.Errorf("MakeKeyRegistry: %v", err)
	}
}

// TestOwn makes files their owner's that others may read, or that the owner may not even write, and
// leaves those alone that are not named.
func TestOwn(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes are those of Unix")
	}
	dir := openDir(t, t.TempDir())
	for _, name := range []string{"wide", "narrow", "other"} {
		if err := os.WriteFile(dir.Join(name), nil, disk.FileMode); err != nil {
			t.Fatal(err)
		}
	}
	chmod := map[string]os.FileMode{"wide": 0o644, "narrow": 0o400, "other": 0o644}
	for name, mode := range chmod {
		if err := os.Chmod(dir.Join(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	removed := dir.Join("removed")
	if err := os.WriteFile(removed, nil, disk.FileMode); err != nil {
		t.Fatal(err)
	}
	err := badgerfile.Own(dir, func(name string) bool {
		if name == "narrow" { // which comes first
			if err := os.Remove(removed); err != nil {
				t.Error(err)
			}
		}
		return name != "other"
	})
	if err != nil {
		t.Fatal(err)
	}
	chmod["wide"], chmod["narrow"] = disk.FileMode, disk.FileMode
	for name, want := range chmod {
		if info, err := dir.Lstat(name); err != nil || info.Mode() != want {
			t.Errorf("%s has mode %v, wanted is %v, %v", name, info.Mode(), want, err)
		}
	}
}

// panicking is a logger that Badger's opening does not survive.
type panicking struct{ badger.Logger }

func (panicking) Infof(string, ...any) { panic("oh") }

// TestOpenFails has opening panic, and fail: both are errors, without a database.
func TestOpenFails(t *testing.T) {
	db, err := badgerfile.Open(quiet(t.TempDir()).WithLogger(panicking{}))
	if db != nil || err == nil || !strings.Contains(err.Error(), "badgerfile: badger panicked: oh") {
		t.Errorf("Badger panics: %v, %v", db, err)
	}
	// Badger itself returns a database when its value log cannot be opened.
	dir := t.TempDir()
	valueLog := filepath.Join(dir, "000001"+badgerfile.ValueLogSuffix)
	if err := os.WriteFile(valueLog, nil, disk.FileMode); err != nil {
		t.Fatal(err)
	}
	if db, err := badgerfile.Open(quiet(dir)); db != nil || err == nil {
		t.Errorf("Badger fails: %v, %v", db, err)
	}
}

// TestRecovered defers it where nothing panics, and where something does behind an error.
func TestRecovered(t *testing.T) {
	before := errors.New("before")
	call := func(panics bool) (err error) {
		defer badgerfile.Recovered("me", &err)
		if err = before; panics {
			panic(7)
		}
		return err
	}
	if err := call(false); err != before {
		t.Errorf("without a panic: %v", err)
	}
	if err := call(true); err == nil || err.Error() != "me: badger panicked: 7" {
		t.Errorf("a panic: %v", err)
	}
}
