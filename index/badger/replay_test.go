package badger_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/badger"
	"github.com/gabion-storage/gabion/index/indextest"
)

// TestReplay opens an index of which the log was cut anywhere, as a crash may. What it has then is what
// Badger alone makes of the same files: every version of every key. So it is when the crash comes again,
// between the table that was made of the log and the log's removal.
func TestReplay(t *testing.T) {
	rng := rand.New(rand.NewPCG(indextest.Seed(t), 1))
	dir := t.TempDir()
	b := open(t, dir)
	for range 60 {
		err := b.Update(t.Context(), func(tx index.Tx) error {
			for range 1 + rng.IntN(20) {
				key := fmt.Appendf(nil, "key%d", rng.IntN(50))
				if rng.IntN(4) == 0 {
					if err := tx.Delete(key); err != nil {
						return err
					}
				} else if err := tx.Put(key, make([]byte, rng.IntN(3000))); err != nil {
					return err
				}
			}
			return tx.Put(fmt.Appendf(nil, "key%d", rng.IntN(50)), []byte("so that each writes a record"))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	image := crashed(t, dir)
	used := badger.LogUsed(b)
	closeStore(t, b)
	cuts := []int{0, 20, 21, used, math.MaxInt} // 20 are the header
	for range 20 {
		cuts = append(cuts, 20+rng.IntN(used))
	}
	for _, cut := range cuts {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			ours := crashed(t, image)
			log := onlyMem(t, ours)
			if cut < math.MaxInt {
				if err := os.Truncate(log, int64(cut)); err != nil {
					t.Fatal(err)
				}
			}
			left, err := os.ReadFile(log)
			if err != nil {
				t.Fatal(err)
			}
			if len(left) == 0 {
				if err := os.Remove(log); err != nil { // Badger stumbles over it
					t.Fatal(err)
				}
			}
			want := versions(t, databaseOf(t, crashed(t, ours)))
			if cut == math.MaxInt && len(want) < 100 {
				t.Errorf("there are %d versions in all: the test has lost its grip", len(want))
			}
			for _, round := range []string{"once", "again"} {
				closeStore(t, open(t, ours))
				if got := versions(t, databaseOf(t, crashed(t, ours))); !slices.Equal(got, want) {
					t.Fatalf("%s there are %d versions, Badger has %d", round, len(got), len(want))
				}
				if len(left) == 0 {
					continue
				}
				if err := os.WriteFile(log, left, 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Remove(filepath.Join(databaseOf(t, ours), "SUMS")); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// onlyMem returns the one log of an index.
func onlyMem(t *testing.T, dir string) string {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(databaseOf(t, dir), "*.mem"))
	if err != nil || len(logs) != 1 {
		t.Fatalf("logs: %v, %v", logs, err)
	}
	return logs[0]
}

// versions returns what Badger alone finds in a directory, which it changes: once each.
func versions(t *testing.T, dir string) (all []string) {
	t.Helper()
	db, err := badgerdb.OpenManaged(plainBadger(dir))
	if err != nil {
		t.Fatal(err)
	}
	txn := db.NewTransactionAt(math.MaxUint64, false)
	it := txn.NewIterator(badgerdb.IteratorOptions{AllVersions: true})
	for it.Rewind(); it.Valid(); it.Next() {
		item := it.Item()
		value, err := item.ValueCopy(nil)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%s %d %v %d %d %x", item.Key(), item.Version(), item.IsDeletedOrExpired(), item.UserMeta(), item.ExpiresAt(), value))
	}
	it.Close()
	txn.Discard()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return slices.Compact(all)
}
