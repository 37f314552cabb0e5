package badger_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/badger"
	"github.com/gabion-storage/gabion/internal/disk"
)

// usage is what an index takes on disk.
func usage(t *testing.T, s index.Store) int64 {
	t.Helper()
	u, err := s.Usage(t.Context())
	if err != nil {
		t.Fatalf("Usage: %v", err)
	}
	return u.DiskBytes
}

func compact(t *testing.T, s index.Store) {
	t.Helper()
	if err := s.Compact(t.Context()); err != nil {
		t.Fatalf("Compact: %v", err)
	}
}

// unload deletes what load has stored.
func unload(t *testing.T, s index.Store, records int) {
	t.Helper()
	for first := 0; first < records; first += 10_000 {
		err := s.Update(t.Context(), func(tx index.Tx) error {
			for i := first; i < min(first+10_000, records); i++ {
				if err := tx.Delete(loadKey(i)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatalf("Update: %v", err)
		}
	}
}

// TestBadgerSpaceComesBack deletes 60 MB of records of 30 KiB, for which Badger itself would keep
// all of it.
func TestBadgerSpaceComesBack(t *testing.T) {
	const records, size, small = 2000, 30 << 10, 20 << 20
	dir := t.TempDir()
	b := open(t, dir)
	empty := usage(t, b)
	for first := 0; first < records; first += 30 { // a load in updates that fit
		err := b.Update(t.Context(), func(tx index.Tx) error {
			for i := first; i < min(first+30, records); i++ {
				if err := tx.Put(loadKey(i), loadValue(i, size, 1)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	full := usage(t, b)
	compact(t, b)
	live := usage(t, b)
	unload(t, b, records)
	compact(t, b)
	emptied := usage(t, b)
	closeStore(t, b)
	b = open(t, dir)
	defer closeStore(t, b)
	reopened := usage(t, b)
	t.Logf("bytes on disk: empty %d, with %d of records %d, compacted %d, emptied %d, reopened %d", empty, records*size, full, live, emptied, reopened)
	if full < records*size || live < records*size || live > records*size+small || emptied > small || reopened > small {
		t.Error("the space does not come back")
	}
	if err := b.View(t.Context(), func(r index.Reader) error { return checkLoad(r, 0, 0, 0) }); err != nil {
		t.Error(err)
	}
}

// TestBadgerCompactNoSpace compacts without room for what lives: everything has to stay as it was.
func TestBadgerCompactNoSpace(t *testing.T) {
	const records, size = 10_000, 1000
	dir := t.TempDir()
	b := open(t, dir)
	load(t, b, records, size, 1)
	free := int64(0)
	badger.SetSpace(b, func() disk.Space { return disk.Space{Bytes: free, Inodes: math.MaxInt64} })
	for _, free = range []int64{0, 40 << 20, 50 << 20} {
		if err := b.Compact(t.Context()); !errors.Is(err, index.ErrNoSpace) {
			t.Errorf("Compact with %d bytes free: %v, want ErrNoSpace", free, err)
		}
		databaseOf(t, dir) // fails when there is another one
		if err := b.View(t.Context(), func(r index.Reader) error { return checkLoad(r, records, size, 1) }); err != nil {
			t.Error(err)
		}
	}
	free = 1 << 40
	load(t, b, 10, size, 1)
	compact(t, b)
	if err := b.View(t.Context(), func(r index.Reader) error { return checkLoad(r, records, size, 1) }); err != nil {
		t.Error(err)
	}
	closeStore(t, b)
}

// TestBadgerCompactCrash opens what a crash leaves before and after a new database was named.
func TestBadgerCompactCrash(t *testing.T) {
	const records, size = 1000, 100
	dir := t.TempDir()
	b := open(t, dir)
	load(t, b, records, size, 1)
	old := databaseOf(t, dir)
	var before, after string
	err := b.View(t.Context(), func(index.Reader) error { // keeps the old one, which would vanish while it is copied
		before = crashed(t, dir)
		compact(t, b)
		load(t, b, records, size, 2)
		after = crashed(t, dir)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	closeStore(t, b)
	for version, image := range map[int]string{1: before, 2: after} {
		// In the first image the second database is one that was not finished; in the second the
		// first one is not removed yet.
		other := filepath.Join(image, []string{"", "00000002", filepath.Base(old)}[version])
		if err := os.MkdirAll(other, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(other, "000001.sst"), []byte("half a table"), 0o600); err != nil {
			t.Fatal(err)
		}
		b := open(t, image)
		if err := b.View(t.Context(), func(r index.Reader) error { return checkLoad(r, records, size, version) }); err != nil {
			t.Errorf("image %d: %v", version, err)
		}
		databaseOf(t, image)
		closeStore(t, b)
	}
}

// TestBadgerNoCurrent opens an index whose CURRENT is lost or damaged. It must not begin a new one.
func TestBadgerNoCurrent(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	load(t, b, 10, 10, 1)
	image := crashed(t, dir)
	closeStore(t, b)
	for _, dir := range []string{dir, image} {
		for _, content := range []string{"gabion index 1 7 0 00000000\n", ""} {
			file := replaced(t, filepath.Join(dir, "CURRENT"), content)
			_, err := badger.Open(t.Context(), dir, nil)
			var corrupt *index.CorruptionError
			if !errors.As(err, &corrupt) || corrupt.Where != file {
				t.Errorf("with %q in CURRENT: %v, want a CorruptionError that names it", content, err)
			}
		}
	}
}

// TestBadgerMissingTable takes a table away from an index that was not closed: whatever Badger
// makes of it, the commits that were in it must be missed, also the second time.
func TestBadgerMissingTable(t *testing.T) {
	const records, size = 20_000, 500
	dir := t.TempDir()
	b := open(t, dir)
	load(t, b, records, size, 1)
	compact(t, b)
	load(t, b, records, size, 2)
	badger.WaitFlushed(b)
	image := crashed(t, dir)
	closeStore(t, b)
	tables, err := filepath.Glob(filepath.Join(databaseOf(t, image), "*.sst"))
	if err != nil || len(tables) < 3 {
		t.Fatalf("tables %q, %v", tables, err)
	}
	for _, table := range []string{tables[0], tables[len(tables)-1]} {
		damaged := crashed(t, image)
		if err := os.Remove(filepath.Join(databaseOf(t, damaged), filepath.Base(table))); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			b, err := badger.Open(t.Context(), damaged, nil)
			var corrupt *index.CorruptionError
			if !errors.As(err, &corrupt) {
				t.Errorf("without %s: %v, want a CorruptionError", filepath.Base(table), err)
			} else {
				t.Log(err)
			}
			if err == nil {
				closeStore(t, b)
			}
		}
	}
	b = open(t, image)
	if err := b.View(t.Context(), func(r index.Reader) error { return checkLoad(r, records, size, 2) }); err != nil {
		t.Error(err)
	}
	closeStore(t, b)
}

// replaced replaces a file; with nothing it removes it.
func replaced(t *testing.T, file, content string) string {
	t.Helper()
	err := os.WriteFile(file, []byte(content), 0o600)
	if content == "" {
		err = os.Remove(file)
	}
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// TestBadgerScanAfterDeletes counts what a scan steps over after many records were put and deleted
// in its range.
func TestBadgerScanAfterDeletes(t *testing.T) {
	const rounds, records, bound = 20, 10_000, 3 * 16384
	b := open(t, t.TempDir())
	defer closeStore(t, b)
	put := func(keys ...string) {
		err := b.Update(t.Context(), func(tx index.Tx) error {
			for _, key := range keys {
				if err := tx.Put([]byte(key), nil); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	put("kex", "kez")
	for range rounds {
		load(t, b, records, 10, 1)
		unload(t, b, records)
	}
	badger.WaitCompacted(b)
	before := badger.Steps(b)
	n := 0
	err := b.View(t.Context(), func(r index.Reader) error {
		for range r.Scan([]byte("ke"), []byte("kf")) {
			n++
		}
		return nil
	})
	steps := badger.Steps(b) - before
	t.Logf("%d steps for %d records, after %d were put and deleted", steps, n, rounds*records)
	if err != nil || n != 2 || steps > bound {
		t.Errorf("%d steps for %d records (%v), want at most %d for 2", steps, n, err, bound)
	}
}

// TestBadgerScanHotRecord counts what a scan steps over when one record in its range was
// overwritten many times.
func TestBadgerScanHotRecord(t *testing.T) {
	const versions, bound = 3000, 100
	b := open(t, t.TempDir())
	defer closeStore(t, b)
	for i := range versions {
		err := b.Update(t.Context(), func(tx index.Tx) error {
			return errors.Join(tx.Put([]byte("hot"), fmt.Append(nil, i)), tx.Put(loadKey(i%3), nil))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	before := badger.Steps(b)
	err := b.View(t.Context(), func(r index.Reader) error {
		n := 0
		for _, err := range r.Scan(nil, nil) {
			if err != nil {
				return err
			}
			n++
		}
		if n != 4 {
			return fmt.Errorf("%d records", n)
		}
		return nil
	})
	if steps := badger.Steps(b) - before; err != nil || steps > bound {
		t.Errorf("%d steps over 4 records with %d versions: %v", steps, versions, err)
	}
}

// TestBadgerCompactBeside compacts again and again while the counters of TestBadgerKill are counted
// up.
func TestBadgerCompactBeside(t *testing.T) {
	const writers, updates = 3, 60
	dir := t.TempDir()
	b := open(t, dir)
	done := make(chan error)
	for w := range writers {
		go func() {
			for range updates {
				if _, err := count(b, w); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	compactions := 0
	for left := writers; left > 0; {
		select {
		case err := <-done:
			left--
			if err != nil {
				t.Error(err)
			}
		default:
			compact(t, b)
			compactions++
		}
	}
	t.Logf("%d compactions", compactions)
	check := func() {
		t.Helper()
		err := b.View(t.Context(), func(r index.Reader) error {
			for w := range writers {
				for _, name := range []string{"a", "c"} {
					if n, err := counter(r, name, w); err != nil || n != updates {
						return fmt.Errorf("counter %s of %d is %d, %w", name, w, n, err)
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	check()
	image := crashed(t, dir)
	closeStore(t, b)
	b = open(t, image)
	check()
	closeStore(t, b)
	databaseOf(t, dir)
}

// TestBadgerCompactEnds ends compactions by their context, at every look at it in turn.
func TestBadgerCompactEnds(t *testing.T) {
	const records = 1000
	dir := t.TempDir()
	b := open(t, dir)
	defer closeStore(t, b)
	load(t, b, records, 100, 1)
	cause := errors.New("the test ends it")
	for looks := 0; ; looks++ {
		ctx := &endingContext{Context: context.Background(), looks: looks, cause: cause}
		err := badger.CompactDirectly(b, ctx)
		if err == nil {
			if looks < 2*records/256 {
				t.Errorf("the context was looked at only %d times", looks)
			}
			break
		}
		if !errors.Is(err, cause) {
			t.Fatalf("Compact: %v", err)
		}
		databaseOf(t, dir)
	}
	if err := b.View(t.Context(), func(r index.Reader) error { return checkLoad(r, records, 100, 1) }); err != nil {
		t.Error(err)
	}
}

// An endingContext ends after it was looked at some times.
type endingContext struct {
	context.Context
	looks int
	cause error
}

func (c *endingContext) Err() error {
	if c.looks--; c.looks < 0 {
		return c.cause
	}
	return nil
}

// TestBadgerCompactFillsTheLog commits while a compaction runs. What it copies of that lies in the
// log of the new database, and leaves less of it for a disk without free space.
func TestBadgerCompactFillsTheLog(t *testing.T) {
	const records, size = 100, 10_000
	b := open(t, t.TempDir())
	load(t, b, 10, 10, 1)
	var begun atomic.Bool
	badger.SetSpace(b, func() disk.Space { // which a compaction asks for before it writes a table
		if !begun.Swap(true) {
			load(t, b, records, size, 2)
		}
		return disk.Space{Bytes: 1 << 40, Inodes: math.MaxInt64}
	})
	compact(t, b)
	if used := badger.LogUsed(b); used < records*size {
		t.Errorf("%d bytes of the log are used, at least %d were copied to it", used, records*size)
	}
	closeStore(t, b)
}

// TestBadgerCompactSettles has a memtable of the new database be on its way into a table while a compaction
// copies. Who takes space for the old one waits for it.
func TestBadgerCompactSettles(t *testing.T) {
	b, err := badger.Open(t.Context(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	load(t, b, 10, 10, 1)
	begun, unsettled := false, false
	var written atomic.Bool
	settled := make(chan bool)
	badger.SetSpace(b, func() disk.Space {
		space := disk.Space{Bytes: 1 << 40, Inodes: 1 << 20}
		if !begun { // more commits than are copied while all others wait
			begun = true
			for n := range 100 {
				if err := putSome(t, b, n); err != nil {
					t.Error(err)
				}
			}
		}
		if unsettled || badger.CommitsWait(b) {
			return space
		}
		fail := badger.Unsettle(b)
		if fail == nil {
			return space
		}
		unsettled = true
		go func() {
			badger.Settle(b)
			settled <- written.Load()
		}()
		for range 1000 {
			runtime.Gosched()
		}
		written.Store(true)
		fail()
		if !<-settled {
			t.Error("it was not waited for")
		}
		return space
	})
	if err := b.Compact(t.Context()); err == nil || !unsettled {
		t.Errorf("Compact: %v: the test has lost its grip", err)
	}
	load(t, b, 10, 10, 3)
	closeStore(t, b)
}

// TestBadgerCompactRotates has a compaction copy more than a log holds, while somebody waits again and
// again for all memtables to be in tables.
func TestBadgerCompactRotates(t *testing.T) {
	const records = 2000
	b := open(t, t.TempDir())
	defer closeStore(t, b)
	load(t, b, 10, 10, 1)
	asked := false
	badger.SetSpace(b, func() disk.Space {
		if !asked {
			asked = true
			for n := range records {
				if err := putSome(t, b, n); err != nil {
					t.Error(err)
				}
			}
		}
		return disk.Space{Bytes: 1 << 40, Inodes: 1 << 20}
	})
	done := make(chan int)
	var ended atomic.Bool
	go func() {
		unseen := 0
		for !ended.Load() {
			unseen += badger.Settle(b)
		}
		done <- unseen
	}()
	compact(t, b)
	ended.Store(true)
	if unseen := <-done; unseen > 0 {
		t.Errorf("%d times there was a log that was not known of", unseen)
	}
	err := b.View(t.Context(), func(r index.Reader) error {
		for n := range records {
			if _, err := r.Get(fmt.Appendf(nil, "key%06d", n)); err != nil {
				return fmt.Errorf("record %d: %w", n, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
