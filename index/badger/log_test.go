package badger_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"testing"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/gabion-storage/gabion/index"
)

// TestLogOfTinyCommits opens an index after a crash when one log is full of commits of one small record
// each. Their marks take more of the log than the records, and nothing of a memtable.
func TestLogOfTinyCommits(t *testing.T) {
	const commits = 100_000
	dir := unclosed(t, func(log string) {
		if err := os.Remove(log); err != nil { // Badger makes its own
			t.Fatal(err)
		}
	})
	db, err := badgerdb.OpenManaged(plainBadger(databaseOf(t, dir)))
	if err != nil {
		t.Fatal(err)
	}
	key := func(n int) []byte { return fmt.Appendf(nil, "key%07d", n) }
	done := make(chan error, commits)
	for n := 1; n <= commits; n++ {
		txn := db.NewTransactionAt(uint64(n-1), true)
		if err := txn.Set(key(n), binary.BigEndian.AppendUint64([]byte("v:"), uint64(n))); err != nil {
			t.Fatal(err)
		}
		if err := txn.CommitAt(uint64(n), func(err error) { done <- err }); err != nil {
			t.Fatal(err)
		}
	}
	for range commits {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	image := crashed(t, dir)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	onlyMem(t, image)
	b := open(t, image)
	defer closeStore(t, b)
	err = b.View(t.Context(), func(r index.Reader) error {
		for n := 1; n <= commits; n += 999 {
			if _, err := r.Get(key(n)); err != nil {
				return fmt.Errorf("commit %d: %w", n, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// plainBadger are options with which Badger alone opens a database of an index, and compacts nothing.
func plainBadger(dir string) badgerdb.Options {
	return badgerdb.DefaultOptions(dir).WithLogger(nil).WithMemTableSize(8 << 20).WithValueThreshold(1 << 20).
		WithNumVersionsToKeep(math.MaxInt).WithNumCompactors(0).WithCompactL0OnClose(false)
}
