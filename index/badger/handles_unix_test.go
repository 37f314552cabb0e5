//go:build linux || darwin

package badger_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/badger"
	"github.com/gabion-storage/gabion/internal/disk"
)

// TestBadgerNoHandles uses up the file handles of the process. Updates go on while they fit into the
// log that is open. Then they have to be refused while Badger's background work still has some to
// create its files with.
func TestBadgerNoHandles(t *testing.T) {
	b := open(t, t.TempDir())
	defer closeStore(t, b)
	load(t, b, 10, 10, 1)

	restore := fewHandles(t, 4) // enough for nothing but a few reads
	put := func(tx index.Tx) error { return tx.Put([]byte("a"), make([]byte, index.MaxValueSize)) }
	log, updates := badger.Logs(b), 0
	refused := b.Update(t.Context(), put)
	for refused == nil && badger.Logs(b) == log {
		updates++
		refused = b.Update(t.Context(), put)
	}
	read := b.View(t.Context(), func(r index.Reader) error { return checkLoad(r, 10, 10, 1) })
	restore()
	if !errors.Is(refused, syscall.EMFILE) || updates == 0 {
		t.Errorf("after %d Updates: %v, want EMFILE", updates, refused)
	}
	if read != nil {
		t.Errorf("View: %v", read)
	}
	if err := b.Update(t.Context(), put); err != nil {
		t.Errorf("Update afterwards: %v", err)
	}
}

// fewHandles leaves the process so many free file handles.
func fewHandles(t *testing.T, free uint64) (restore func()) {
	t.Helper()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	next, err := syscall.Dup(0) // the lowest free handle
	if err != nil {
		t.Fatal(err)
	}
	few := before
	few.Cur = uint64(next) + free
	if err := errors.Join(syscall.Close(next), syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few)); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBadgerManyTables opens an index with more small tables than the process has handles, closed
// properly and not, and finds all that is in them. So it does when a crash has come before they were
// removed.
func TestBadgerManyTables(t *testing.T) {
	const tables, keys = 200, 80
	record := func(commit uint64) (key, value []byte) {
		return fmt.Appendf(nil, "key%04d", commit%keys), fmt.Appendf(nil, "%d", commit)
	}
	check := func(t *testing.T, dir string) {
		defer fewHandles(t, 48)()
		b := open(t, dir)
		err := b.View(t.Context(), func(r index.Reader) error {
			for commit := uint64(tables - keys + 1); commit <= tables; commit++ {
				key, want := record(commit)
				if value, err := r.Get(key); err != nil || string(value) != string(want) {
					return fmt.Errorf("%s is %s, %v, want %s", key, value, err, want)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		closeStore(t, b)
		if left := tablesIn(t, dir); left > 10 {
			t.Errorf("%d tables are left", left)
		}
	}
	for _, state := range []string{"closed", "not closed"} {
		t.Run(state, func(t *testing.T) {
			dir := unclosed(t, func(string) {})
			database := databaseOf(t, dir)
			if err := badger.LeaveTables(database, tables, record); err != nil {
				t.Fatal(err)
			}
			if state == "closed" {
				writeSums(t, database)
			}
			before := crashed(t, database)
			check(t, dir)
			left, err := filepath.Glob(filepath.Join(before, "*.sst"))
			if err != nil || len(left) != tables {
				t.Fatalf("%d tables were there, %v", len(left), err)
			}
			for _, from := range left {
				if err := os.Rename(from, filepath.Join(database, filepath.Base(from))); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Remove(filepath.Join(database, "SUMS")); err != nil {
				t.Fatal(err)
			}
			check(t, dir)
		})
	}
}

// writeSums lists the tables of a database as a proper Close does.
func writeSums(t *testing.T, database string) {
	t.Helper()
	dir, err := disk.OpenDir(database)
	if err != nil {
		t.Fatal(err)
	}
	err = dir.WriteSums(func(name string) bool { return name == "MANIFEST" || filepath.Ext(name) == ".sst" })
	if err := errors.Join(err, dir.Close()); err != nil {
		t.Fatal(err)
	}
}
