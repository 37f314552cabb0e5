package engine_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/gabion-storage/gabion/internal/disk"
	"github.com/gabion-storage/gabion/internal/disktest"
)

// TestReserveFile has the reserve file be missing, empty, and somebody's link: each time it is
// there with its blocks when the store is open, and what the link points to is left alone.
func TestReserveFile(t *testing.T) {
	dir, other := t.TempDir(), filepath.Join(t.TempDir(), "other")
	reserve := filepath.Join(dir, "RESERVE")
	if err := os.WriteFile(other, []byte("somebody's"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, put := range map[string]func() error{
		"missing": func() error { return nil },
		"empty":   func() error { return os.WriteFile(reserve, nil, 0o600) },
		"link":    func() error { return os.Symlink(other, reserve) },
	} {
		if err := os.RemoveAll(reserve); err != nil {
			t.Fatal(err)
		}
		if err := put(); err != nil {
			t.Fatal(err)
		}
		e := open(t, dir, nil)
		if used, err := disk.Usage(reserve); err != nil || used < 32<<20 {
			t.Errorf("%s: %d bytes are set aside, %v", name, used, err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if data, err := os.ReadFile(other); err != nil || string(data) != "somebody's" {
		t.Errorf("what the link points to is %q, %v", data, err)
	}
}

// TestReserveFileQuota opens a store where a quota leaves less than the reserve file takes, of which the
// file system says nothing, but for the index enough. It opens, and the file is not there in part.
func TestReserveFileQuota(t *testing.T) {
	dir := disktest.MountLimited(t, 200<<20)
	store := filepath.Join(dir, "store")
	if err := open(t, store, nil).Close(); err != nil {
		t.Fatal(err)
	}
	refused := 0
	for range 20 { // Btrfs gives at times what it should not
		if err := os.Remove(filepath.Join(store, "RESERVE")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		used, err := disk.Usage(dir)
		if err != nil {
			t.Fatal(err)
		}
		disktest.Limit(t, dir, used+28<<20)
		if err := open(t, store, nil).Close(); err != nil {
			t.Fatal(err)
		}
		switch info, err := os.Lstat(filepath.Join(store, "RESERVE")); {
		case errors.Is(err, fs.ErrNotExist):
			refused++
		case err != nil:
			t.Fatal(err)
		case disk.Allocated(info) < 32<<20:
			t.Fatalf("%d bytes are set aside", disk.Allocated(info))
		}
	}
	if refused == 0 {
		t.Error("the quota has refused nothing: the test has lost its grip")
	}
}
