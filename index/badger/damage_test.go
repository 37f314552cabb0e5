package badger_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/badger"
	"github.com/gabion-storage/gabion/index/indextest"
	"github.com/gabion-storage/gabion/internal/disk"
)

// TestBadgerDamageBelow changes a table of an index that is open, one bit after the other, and reads all
// that there is: no read ends the process, and what Badger panics at is reported as damage.
func TestBadgerDamageBelow(t *testing.T) {
	rng := rand.New(rand.NewPCG(indextest.Seed(t), 1))
	const records, flips = 200, 300
	b, table := openWithTable(t, records, 100)
	f, err := os.OpenFile(table, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	reported := 0 // with all that was changed before
	for range flips {
		at, one := rng.Int64N(info.Size()), make([]byte, 1)
		if _, err := f.ReadAt(one, at); err != nil {
			t.Fatal(err)
		}
		one[0] ^= 1 << rng.IntN(8)
		if _, err := f.WriteAt(one, at); err != nil {
			t.Fatal(err)
		}
		if readAll(t, b, records) > 0 {
			reported++
		}
	}
	if reported < flips/2 {
		t.Errorf("damage was reported %d times of %d", reported, flips)
	}
	b.Close()
}

// TestBadgerTableCut cuts a table of an index that is open, which makes reading its map a fault, as a bad
// sector does. Each call says so, and so does a compaction in the background.
func TestBadgerTableCut(t *testing.T) {
	const records = 200
	b, table := openWithTable(t, records, 100)
	if err := os.Truncate(table, 0); err != nil {
		t.Fatal(err)
	}
	if readAll(t, b, records) != records+1 {
		t.Error("not each read reports it")
	}
	if err := b.Update(t.Context(), func(tx index.Tx) error { return tx.Put([]byte("key"), nil) }); err != nil {
		t.Errorf("Update: %v", err)
	}
	var corrupt *index.CorruptionError
	if err := b.Compact(t.Context()); !errors.As(err, &corrupt) {
		t.Errorf("Compact: %v, want a CorruptionError", err)
	}
	b.Close()
}

// openWithTable opens an index with records in one table of the last level.
func openWithTable(t *testing.T, records, size int) (b *badger.Store, table string) {
	t.Helper()
	dir := t.TempDir()
	b, err := badger.Open(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	badger.SetRecent(b, 1)
	load(t, b, records, size, 1)
	compact(t, b)
	tables, err := filepath.Glob(filepath.Join(databaseOf(t, dir), "*.sst"))
	if err != nil || len(tables) != 1 {
		t.Fatalf("tables: %q, %v", tables, err)
	}
	return b, tables[0]
}

// readAll gets all records, and scans them, and returns how often it was told of damage.
func readAll(t *testing.T, b *badger.Store, records int) (reported int) {
	t.Helper()
	err := b.View(context.Background(), func(r index.Reader) error {
		for i := range records {
			var corrupt *index.CorruptionError
			switch _, err := r.Get(loadKey(i)); {
			case errors.As(err, &corrupt):
				reported++
			case err != nil && !errors.Is(err, index.ErrNotFound):
				t.Errorf("Get: %v", err)
			}
		}
		for _, err := range r.Scan(nil, nil) {
			var corrupt *index.CorruptionError
			if err == nil {
				continue
			}
			if reported++; !errors.As(err, &corrupt) {
				t.Errorf("Scan: %v", err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return reported
}

// TestBadgerCompactDamaged changes a value in a table of an index that is open, which Badger does not
// notice. A compaction does not make new tables of that, whose sums are right.
func TestBadgerCompactDamaged(t *testing.T) {
	const records = 200
	b, table := openWithTable(t, records, 100)
	load(t, b, 1, 10, 2)
	data, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(data, []byte("......"))
	if at < 0 {
		t.Fatal("there is no value in the table")
	}
	f, err := os.OpenFile(table, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	write := func(c byte) {
		if _, err := f.WriteAt([]byte{c}, int64(at)); err != nil {
			t.Fatal(err)
		}
	}
	write(':')
	var corrupt *index.CorruptionError
	if err := b.Compact(t.Context()); !errors.As(err, &corrupt) || corrupt.Where != table {
		t.Errorf("Compact: %v, want a CorruptionError for %s", err, table)
	}
	write('.')
	compact(t, b)
	closeStore(t, b)
}

// TestBadgerCopyDamaged changes a value in a table of what was committed while a compaction runs, as it is
// copied. The compaction does not put the new database in charge.
func TestBadgerCopyDamaged(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	defer closeStore(t, b)
	load(t, b, 10, 10, 1)
	database := databaseOf(t, dir)
	begun, table, at := false, "", int64(0)
	badger.SetSpace(b, func() disk.Space {
		if !begun {
			begun = true
			log := badger.Logs(b)
			for n := 0; badger.Logs(b) == log; n++ {
				if err := putSome(t, b, n); err != nil {
					t.Fatal(err)
				}
			}
			badger.Settle(b)
		}
		if table == "" && !badger.CommitsWait(b) && badger.Copies(b) {
			table = onlyTable(t, database)
			at = zeroIn(t, table)
			if err := flipAt(table, at); err != nil {
				t.Fatal(err)
			}
		}
		return disk.Space{Bytes: 1 << 40, Inodes: 1 << 20}
	})
	var corrupt *index.CorruptionError
	if err := b.Compact(t.Context()); !errors.As(err, &corrupt) || table == "" || corrupt.Where != table {
		t.Fatalf("Compact: %v, want a CorruptionError for %q", err, table)
	}
	if err := flipAt(table, at); err != nil {
		t.Fatal(err)
	}
	compact(t, b)
}

// onlyTable is the one table of a database.
func onlyTable(t *testing.T, database string) string {
	t.Helper()
	tables, err := filepath.Glob(filepath.Join(database, "*.sst"))
	if err != nil || len(tables) != 1 {
		t.Fatalf("tables: %q, %v", tables, err)
	}
	return tables[0]
}

// zeroIn is where a zero is of a value that putSome has put.
func zeroIn(t *testing.T, table string) int64 {
	t.Helper()
	data, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(data, make([]byte, 1<<10))
	if at < 0 {
		t.Fatal("there is no value in the table")
	}
	return int64(at)
}

// TestBadgerCopyMisses has a commit that came while a compaction runs not turn up.
func TestBadgerCopyMisses(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	defer closeStore(t, b)
	load(t, b, 10, 10, 1)
	before := databaseOf(t, dir)
	begun := false
	badger.SetSpace(b, func() disk.Space {
		if !begun {
			begun = true
			load(t, b, 10, 10, 2)
			badger.SkipCommit(b)
			load(t, b, 10, 10, 3)
		}
		return disk.Space{Bytes: 1 << 40, Inodes: 1 << 20}
	})
	var corrupt *index.CorruptionError
	if err := b.Compact(t.Context()); !errors.As(err, &corrupt) || corrupt.Where != before {
		t.Errorf("Compact: %v, want a CorruptionError for %s", err, before)
	}
	if after := databaseOf(t, dir); after != before {
		t.Errorf("%s is in charge", after)
	}
}

// TestBadgerCompactFails has Badger report trouble while a compaction runs, and leave a list of tables that
// is none. That is no damage.
func TestBadgerCompactFails(t *testing.T) {
	dir := t.TempDir()
	b, err := badger.Open(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	load(t, b, 10, 10, 1)
	database := databaseOf(t, dir)
	begun := false
	badger.SetSpace(b, func() disk.Space {
		if !begun {
			begun = true
			badger.Fail(b)
			if err := os.WriteFile(filepath.Join(database, "MANIFEST"), []byte("half a list"), 0o600); err != nil {
				t.Error(err)
			}
		}
		return disk.Space{Bytes: 1 << 40, Inodes: 1 << 20}
	})
	var broken *index.CommitError
	if err := b.Compact(t.Context()); !errors.As(err, &broken) {
		t.Errorf("Compact: %v, want a CommitError", err)
	}
	b.Close()
}
