package badger_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/badger"
	"github.com/gabion-storage/gabion/index/indextest"
	"github.com/gabion-storage/gabion/internal/disk"
)

// TestBadgerShortSessions opens an index again and again for one small commit each, and has it closed or
// killed. Each of these sessions leaves a table, to which belong a handle and a map, and which every read
// looks into: they stay few.
func TestBadgerShortSessions(t *testing.T) {
	rng := rand.New(rand.NewPCG(indextest.Seed(t), 1))
	const sessions, most = 160, 70
	dir := t.TempDir()
	want, seen := map[string]string{}, 0
	for n := range sessions {
		b := open(t, dir)
		handles := openTables(t)
		if tables := tablesIn(t, dir); tables > most || handles > most {
			t.Fatalf("after %d sessions there are %d tables, and %d are open", n, tables, handles)
		} else {
			seen = max(seen, tables)
		}
		key, value := fmt.Sprintf("key%d", rng.IntN(40)), fmt.Sprint(n)
		err := b.Update(t.Context(), func(tx index.Tx) error {
			if rng.IntN(4) > 0 {
				want[key] = value
				return tx.Put([]byte(key), []byte(value))
			}
			delete(want, key)
			if err := tx.Delete([]byte(key)); err != nil {
				return err
			}
			return tx.Put([]byte("last"), []byte(value))
		})
		if err != nil {
			t.Fatal(err)
		}
		if rng.IntN(8) == 0 {
			image := crashed(t, dir)
			closeStore(t, b)
			dir = image
		} else {
			closeStore(t, b)
		}
		if n%50 == 0 || n == sessions-1 {
			checkContent(t, dir, want)
		}
	}
	if seen < most/2 {
		t.Errorf("there were %d tables at most: the test has lost its grip", seen)
	}
}

// checkContent opens an index and compares what it has below key with what it should.
func checkContent(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	b := open(t, dir)
	defer closeStore(t, b)
	err := b.View(t.Context(), func(r index.Reader) error {
		found := 0
		for item, err := range r.Scan([]byte("key"), []byte("kez")) {
			if err != nil {
				return err
			}
			if found++; want[string(item.Key)] != string(item.Value) {
				return fmt.Errorf("%q is %q, want %q", item.Key, item.Value, want[string(item.Key)])
			}
		}
		if found != len(want) {
			return fmt.Errorf("%d records, want %d", found, len(want))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// tablesIn is how many tables the one database of an index has.
func tablesIn(t *testing.T, dir string) int {
	t.Helper()
	tables, err := filepath.Glob(filepath.Join(databaseOf(t, dir), "*.sst"))
	if err != nil {
		t.Fatal(err)
	}
	return len(tables)
}

// openTables is how many tables this process has open, where that can be told.
func openTables(t *testing.T) (n int) {
	t.Helper()
	handles, _ := filepath.Glob("/proc/self/fd/*")
	for _, handle := range handles {
		if file, err := os.Readlink(handle); err == nil && filepath.Ext(file) == ".sst" {
			n++
		}
	}
	return n
}

// TestBadgerOverdue opens an index of which many records were deleted in sessions that did not get to
// compact it. It is compacted then, with all that lives.
func TestBadgerOverdue(t *testing.T) {
	dir := t.TempDir()
	closeStore(t, openOverdue(t, dir, nil))
	b := open(t, dir)
	defer closeStore(t, b)
	if base := filepath.Base(databaseOf(t, dir)); base != "00000002" {
		t.Errorf("it is not compacted: it is in %s", base)
	}
	found, before := 0, badger.Steps(b)
	err := b.View(t.Context(), func(r index.Reader) error {
		for _, err := range r.Scan(nil, nil) {
			if err != nil {
				return err
			}
			found++
		}
		return nil
	})
	if steps := badger.Steps(b) - before; err != nil || found != overdueLeft || steps > overdueLeft {
		t.Errorf("%d records, %v, after %d steps", found, err, steps)
	}
}

// overdueLeft is how many records are left in what openOverdue opens.
const overdueLeft = 10

// openOverdue opens an index that there was no space to compact, which is overdue.
func openOverdue(t *testing.T, dir string, opts *badger.Options) *badger.Store {
	t.Helper()
	const records, step = 80_000, 10_000
	b, err := badger.Open(t.Context(), dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	badger.SetSpace(b, func() disk.Space { return disk.Space{Bytes: 50 << 20, Inodes: 1000} })
	key := func(n int) []byte { return fmt.Appendf(nil, "key%06d", n) }
	for n := 0; n < records; n += step {
		for _, change := range []func(tx index.Tx, n int) error{
			func(tx index.Tx, n int) error { return tx.Put(key(n), key(n)) },
			func(tx index.Tx, n int) error {
				if n < overdueLeft {
					return nil
				}
				return tx.Delete(key(n))
			},
		} {
			err := b.Update(t.Context(), func(tx index.Tx) error {
				for i := n; i < n+step; i++ {
					if err := change(tx, i); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	badger.WaitCompacted(b)
	if base := filepath.Base(databaseOf(t, dir)); base != "00000001" {
		t.Fatalf("it was compacted without space, into %s: the test has lost its grip", base)
	}
	return b
}

// A passedDeadline is a context that says once that its deadline has passed, and has not ended.
type passedDeadline struct {
	context.Context
	said bool
}

func (p *passedDeadline) Deadline() (time.Time, bool) {
	said := p.said
	p.said = true
	return time.Now().Add(-time.Hour), !said
}

// TestBadgerOverdueDeadline opens an index that is to be compacted with a context whose deadline leaves no
// time for that. The compaction goes to the background.
func TestBadgerOverdueDeadline(t *testing.T) {
	dir := t.TempDir()
	b := openOverdue(t, dir, nil)
	defer closeStore(t, b)
	var before atomic.Int32 // what was asked for before
	badger.SetSpace(b, func() disk.Space {
		if !badger.InBackground(b) {
			before.Add(1)
		}
		return disk.Space{Bytes: 1 << 40, Inodes: 1000}
	})
	badger.CompactOverdue(b, &passedDeadline{Context: t.Context()})
	badger.WaitCompacted(b)
	if n := before.Load(); n != 1 {
		t.Errorf("the space was looked at %d times before the background, want 1", n)
	}
	badger.WaitRetired(b)
	if base := filepath.Base(databaseOf(t, dir)); base != "00000002" {
		t.Errorf("it is not compacted in the background: it is in %s", base)
	}
}

// TestBadgerUntilHalf looks at the deadline of an overdue compaction.
func TestBadgerUntilHalf(t *testing.T) {
	before := time.Now()
	deadline := before.Add(time.Hour)
	ctx, cancel := context.WithDeadline(t.Context(), deadline)
	defer cancel()
	half, cancel := badger.UntilHalf(ctx)
	defer cancel()
	least, most := before.Add(deadline.Sub(before)/2), deadline.Add(-time.Until(deadline)/2)
	if at, ok := half.Deadline(); !ok || at.Before(least) || at.After(most) {
		t.Errorf("the deadline is %v, want %v to %v", at, least, most)
	}
	if all, _ := badger.UntilHalf(t.Context()); all != t.Context() {
		t.Error("a context without a deadline gets one")
	}
}

// TestBadgerTablesEnd ends openings and compactions of an index with many tables by their context, at
// every look at it in turn. They look before they read a table.
func TestBadgerTablesEnd(t *testing.T) {
	const tables = 40
	record := func(commit uint64) (key, value []byte) { return fmt.Appendf(nil, "key%d", commit), nil }
	dir := unclosed(t, func(string) {})
	if err := badger.LeaveTables(databaseOf(t, dir), tables, record); err != nil {
		t.Fatal(err)
	}
	var b *badger.Store
	looks := looksUntilDone(t, func(ctx context.Context) (err error) {
		b, err = badger.Open(ctx, dir, nil)
		return err
	})
	if looks < tables {
		t.Errorf("Open has looked %d times at its context", looks)
	}
	defer closeStore(t, b)
	looks = looksUntilDone(t, func(ctx context.Context) error { return badger.CompactDirectly(b, ctx) })
	if looks < tables {
		t.Errorf("Compact has looked %d times at its context", looks)
	}
}

// looksUntilDone calls do with contexts that end, each after one look more, until it succeeds.
func looksUntilDone(t *testing.T, do func(context.Context) error) (looks int) {
	t.Helper()
	cause := errors.New("the test ends it")
	for ; ; looks++ {
		err := do(&endingContext{Context: context.Background(), looks: looks, cause: cause})
		if err == nil {
			return looks
		}
		if !errors.Is(err, cause) {
			t.Fatalf("with %d looks: %v", looks, err)
		}
	}
}

// TestBadgerOverdueFails has an overdue compaction fail. It is not tried again before there is half as
// much again.
func TestBadgerOverdueFails(t *testing.T) {
	var failed atomic.Int32
	b := openOverdue(t, t.TempDir(), &badger.Options{Alarm: func(error) { failed.Add(1) }})
	defer closeStore(t, b)
	failed.Store(0)
	asked := false
	badger.SetSpace(b, func() disk.Space {
		if !asked { // before it begins
			asked = true
			return disk.Space{Bytes: 1 << 40, Inodes: 1000}
		}
		return disk.Space{Bytes: 50 << 20, Inodes: 1000}
	})
	badger.CompactOverdue(b, t.Context())
	for range 5 {
		if err := b.Update(t.Context(), func(tx index.Tx) error { return tx.Put([]byte("a"), nil) }); err != nil {
			t.Fatal(err)
		}
		badger.WaitCompacted(b)
	}
	if n := failed.Load(); n != 1 {
		t.Errorf("it has failed %d times, want once", n)
	}
}

// TestBadgerMergesLittle opens an index with small tables that have more than a memtable together. All that
// goes into one table is in memory at a time, so no table gets as much.
func TestBadgerMergesLittle(t *testing.T) {
	const tables, size, most = 70, 180 << 10, 8 << 20
	record := func(commit uint64) (key, value []byte) {
		return fmt.Appendf(nil, "key%d", commit), make([]byte, size)
	}
	dir := unclosed(t, func(string) {})
	database := databaseOf(t, dir)
	if err := badger.LeaveTables(database, tables, record); err != nil {
		t.Fatal(err)
	}
	closeStore(t, open(t, dir))
	left, err := filepath.Glob(filepath.Join(database, "*.sst"))
	if err != nil || len(left) < 2 || len(left) > 4 {
		t.Fatalf("%d tables are left, %v, want 2 to 4", len(left), err)
	}
	for _, table := range left {
		if info, err := os.Stat(table); err != nil || info.Size() > most {
			t.Errorf("%s has %d bytes, %v, want %d at most", table, info.Size(), err, most)
		}
	}
}
