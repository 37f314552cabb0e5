package badger_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/badger"
	"github.com/gabion-storage/gabion/index/indextest"
	"github.com/gabion-storage/gabion/internal/disk"
)

func TestBadger(t *testing.T) {
	indextest.Run(t, func(t *testing.T) index.Store { return open(t, t.TempDir()) })
}

func open(t testing.TB, dir string) *badger.Store {
	t.Helper()
	s, err := badger.Open(t.Context(), dir, &badger.Options{Alarm: func(err error) { t.Errorf("alarm: %v", err) }})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return s
}

// load stores records records in a few updates, with values of some bytes that depend on version.
func load(t *testing.T, s index.Store, records, size, version int) {
	t.Helper()
	for first := 0; first < records; first += 1000 {
		err := s.Update(t.Context(), func(tx index.Tx) error {
			for i := first; i < min(first+1000, records); i++ {
				if err := tx.Put(loadKey(i), loadValue(i, size, version)); err != nil {
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

// putSome puts a record of some KiB under a number.
func putSome(t *testing.T, b index.Store, n int) error {
	return b.Update(t.Context(), func(tx index.Tx) error {
		return tx.Put(fmt.Appendf(nil, "key%06d", n), make([]byte, 8<<10))
	})
}

func loadKey(i int) []byte { return fmt.Appendf(nil, "key%08d", i) }

func loadValue(i, size, version int) []byte {
	return fmt.Appendf(nil, "%d/%d%s", i, version, strings.Repeat(".", size))
}

// checkLoad says what differs from what load has stored.
func checkLoad(r index.Reader, records, size, version int) error {
	i := 0
	for item, err := range r.Scan([]byte("key"), []byte("kez")) {
		if err != nil {
			return err
		}
		if want := loadValue(i, size, version); string(item.Key) != string(loadKey(i)) || string(item.Value) != string(want) {
			return fmt.Errorf("record %d is %q = %.30q, want %.30q", i, item.Key, item.Value, want)
		}
		value, err := r.Get(item.Key)
		if err != nil || string(value) != string(item.Value) {
			return fmt.Errorf("Get(%q) = %.30q, %v", item.Key, value, err)
		}
		i++
	}
	if i != records {
		return fmt.Errorf("%d records, want %d", i, records)
	}
	return nil
}

// crashed returns a copy of the directory of a killed process, or of one that is killed now while
// nothing goes on in the background.
func crashed(t *testing.T, dir string) string {
	t.Helper()
	for {
		image := filepath.Join(t.TempDir(), "crashed")
		err := os.CopyFS(image, os.DirFS(dir))
		if errors.Is(err, fs.ErrNotExist) {
			continue // an old database was removed meanwhile; no crash leaves what such a copy has
		}
		if err != nil {
			t.Fatal(err)
		}
		return image
	}
}

// databaseOf returns the one database that is in the directory of an index.
func databaseOf(t *testing.T, dir string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(strings.ReplaceAll(dir, "[", "\\["), "0*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("databases in %s: %q, %v", dir, found, err)
	}
	return found[0]
}

func filesBelow(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func closeStore(t *testing.T, s index.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestBadgerReopen(t *testing.T) {
	const records, size = 4_000, 400
	dir := filepath.Join(t.TempDir(), "a [strange] name", "index")
	for version := range 3 {
		b := open(t, dir)
		load(t, b, records, size, version)
		closeStore(t, b)
		b = open(t, dir)
		if err := b.View(t.Context(), func(r index.Reader) error { return checkLoad(r, records, size, version) }); err != nil {
			t.Fatal(err)
		}
		closeStore(t, b)
	}
}

// TestBadgerOldSnapshot reads a snapshot whose records have all been overwritten, flushed and
// compacted away meanwhile.
func TestBadgerOldSnapshot(t *testing.T) {
	const records, size, versions = 2_000, 1000, 16
	b := open(t, t.TempDir())
	defer closeStore(t, b)
	load(t, b, records, size, 0)
	err := b.View(t.Context(), func(old index.Reader) error {
		for version := 1; version <= versions; version++ {
			load(t, b, records, size, version)
		}
		if err := b.Compact(t.Context()); err != nil {
			return err
		}
		if err := checkLoad(old, records, size, 0); err != nil {
			return fmt.Errorf("the old snapshot: %w", err)
		}
		return b.View(t.Context(), func(r index.Reader) error { return checkLoad(r, records, size, versions) })
	})
	if err != nil {
		t.Error(err)
	}
}

// TestBadgerNoSpace takes the space away. What the present log has room for goes on; for the next
// one the owner gives up what it has, once, and then updates are refused until there is space
// again.
func TestBadgerNoSpace(t *testing.T) {
	dir := t.TempDir()
	var space atomic.Pointer[disk.Space]
	plenty := disk.Space{Bytes: 1 << 40, Inodes: math.MaxInt64}
	given, asked := disk.Space{}, 0
	b, err := badger.Open(t.Context(), dir, &badger.Options{GiveUp: func() error {
		asked++
		space.Store(&given)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	space.Store(&plenty)
	badger.SetSpace(b, func() disk.Space { return *space.Load() })
	put := func(size int) error {
		return b.Update(t.Context(), func(tx index.Tx) error { return tx.Put([]byte("a"), make([]byte, size)) })
	}
	// fill puts until it is refused.
	fill := func() (puts int) {
		t.Helper()
		for ; ; puts++ {
			err := put(100 << 10)
			if errors.Is(err, index.ErrNoSpace) {
				return puts
			}
			if err != nil || puts > 1000 {
				t.Fatalf("Update %d without space: %v", puts, err)
			}
		}
	}
	for _, full := range []disk.Space{{Bytes: 24<<20 - 1, Inodes: math.MaxInt64}, {Bytes: 1 << 40, Inodes: 10}, {}} {
		space.Store(&plenty)
		for logs := badger.Logs(b); badger.Logs(b) == logs; { // so that the log is a fresh one
			if err := put(100 << 10); err != nil {
				t.Fatalf("Update with space: %v", err)
			}
		}
		if err := put(1); err != nil { // which sets the log's blocks aside
			t.Fatal(err)
		}
		asked, given = 0, disk.Space{}
		space.Store(&full)
		log := badger.Logs(b)
		if puts := fill(); puts < 30 || asked == 0 || badger.Logs(b) != log {
			t.Errorf("with %+v, %d updates of 100 KiB were taken, the owner was asked %d times, logs are %d and were %d", full, puts, asked, badger.Logs(b), log)
		}
		asked, given = 0, disk.Space{Bytes: 32 << 20, Inodes: 1000}
		space.Store(&full)
		for range 3 {
			if err := put(1); err != nil {
				t.Errorf("Update with what the owner gave up: %v", err)
			}
		}
		if asked != 1 {
			t.Errorf("the owner was asked %d times, wanted is once", asked)
		}
		if err := b.View(t.Context(), func(r index.Reader) error { _, err := r.Get([]byte("a")); return err }); err != nil {
			t.Errorf("View with %+v: %v", full, err)
		}
	}
	given = disk.Space{}
	space.Store(&given)
	if err := b.Close(); !errors.Is(err, index.ErrNoSpace) {
		t.Errorf("Close without space: %v, want ErrNoSpace", err)
	}
	if err := put(1); !errors.Is(err, index.ErrClosed) {
		t.Errorf("Update after Close: %v, want ErrClosed", err)
	}
	space.Store(&plenty)
	closeStore(t, b)
	if err := b.Close(); !errors.Is(err, index.ErrClosed) {
		t.Errorf("Close again: %v, want ErrClosed", err)
	}
	closeStore(t, open(t, dir))
}

func TestBadgerInUse(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	if _, err := badger.Open(t.Context(), dir, nil); !errors.Is(err, index.ErrInUse) {
		t.Errorf("second Open: %v, want ErrInUse", err)
	}
	load(t, b, 10, 10, 1) // the first one is not disturbed
	closeStore(t, b)
	closeStore(t, open(t, dir))
}

func TestBadgerOpenErrors(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := badger.Open(ctx, t.TempDir(), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := badger.Open(t.Context(), file, nil); err == nil {
		t.Error("a file opens as a directory")
	}
}

// TestBadgerEmptyLog opens an index with a log file of no length, as a crash while Badger removes
// one leaves it.
func TestBadgerEmptyLog(t *testing.T) {
	b := open(t, t.TempDir())
	closeStore(t, b)
	for _, name := range []string{"00007.mem", "000007.vlog"} {
		dir := t.TempDir()
		b := open(t, dir)
		load(t, b, 10, 10, 1)
		image := crashed(t, dir)
		closeStore(t, b)
		if err := os.WriteFile(filepath.Join(databaseOf(t, image), name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := badger.Open(t.Context(), image, nil)
		if err != nil {
			t.Errorf("with an empty %s: %v", name, err)
			continue
		}
		if err := b.View(t.Context(), func(r index.Reader) error { return checkLoad(r, 10, 10, 1) }); err != nil {
			t.Errorf("with an empty %s: %v", name, err)
		}
		closeStore(t, b)
	}
}

// TestBadgerTemporaries opens an index in which crashes have left files that were to replace others, after
// a proper close and after a crash. They go.
func TestBadgerTemporaries(t *testing.T) {
	for _, state := range []string{"closed", "not closed"} {
		t.Run(state, func(t *testing.T) {
			dir := unclosed(t, func(string) {})
			if state == "closed" {
				closeStore(t, open(t, dir))
			}
			for _, name := range []string{".MANIFEST.tmp-X", ".SUMS.tmp-X"} {
				if err := os.WriteFile(filepath.Join(databaseOf(t, dir), name), []byte("half"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			b := open(t, dir)
			defer closeStore(t, b)
			for _, file := range filesBelow(t, dir) {
				if strings.Contains(file, ".tmp-") {
					t.Errorf("%s is still there", file)
				}
			}
		})
	}
}

// TestBadgerBitFlips flips bits in the files of an index that was closed properly. Each is reported
// before anything is touched, or does no harm.
func TestBadgerBitFlips(t *testing.T) {
	const records, size, flips = 500, 50, 150
	dir := t.TempDir()
	b := open(t, dir)
	load(t, b, records, size, 1)
	closeStore(t, b)
	files := filesBelow(t, dir)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	found := 0
	for range flips {
		file := files[rng.IntN(len(files))]
		restore, where := flip(t, rng, file)
		if where == "" {
			continue // an empty file
		}
		found++
		wantCorruption(t, dir, file, where)
		restore()
	}
	if found < 100 {
		t.Errorf("only %d flips were tried", found)
	}
	for _, file := range files {
		if filepath.Base(file) == disk.LockFile || filepath.Base(file) == disk.SumsFile {
			continue
		}
		if err := os.Rename(file, file+".gone"); err != nil {
			t.Fatal(err)
		}
		wantCorruption(t, dir, file, "removed")
		if err := os.Rename(file+".gone", file); err != nil {
			t.Fatal(err)
		}
	}
	b = open(t, dir) // the refused opens have touched nothing
	defer closeStore(t, b)
	if err := b.View(t.Context(), func(r index.Reader) error { return checkLoad(r, records, size, 1) }); err != nil {
		t.Error(err)
	}
}

// flip flips one bit of a file and says which.
func flip(t *testing.T, rng *rand.Rand, file string) (restore func(), where string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(data) == 0 {
		return nil, ""
	}
	at, bit := rng.IntN(len(data)), rng.IntN(8)
	write := func() {
		data[at] ^= 1 << bit
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write()
	return write, fmt.Sprintf("bit %d of byte %d", bit, at)
}

func wantCorruption(t *testing.T, dir, file, damage string) {
	t.Helper()
	b, err := badger.Open(t.Context(), dir, nil)
	var corrupt *index.CorruptionError
	switch {
	case err == nil:
		closeStore(t, b)
		t.Fatalf("opened with %s: %s", file, damage) // the directory is not what it was any more
	case !errors.As(err, &corrupt) || corrupt.Where != file:
		t.Errorf("%s: %s: %v, want a CorruptionError that names it", file, damage, err)
	}
	if _, err := os.Stat(filepath.Join(databaseOf(t, dir), disk.SumsFile)); errors.Is(err, fs.ErrNotExist) {
		t.Error("the checksums are gone")
	}
}

// TestBadgerGivesUpOnce asks the owner for what it has set aside from many goroutines. It gets one call
// at a time.
func TestBadgerGivesUpOnce(t *testing.T) {
	var inside, most atomic.Int32
	b, err := badger.Open(t.Context(), t.TempDir(), &badger.Options{GiveUp: func() error {
		if n := inside.Add(1); n > 1 {
			most.Store(n)
		}
		defer inside.Add(-1)
		runtime.Gosched()
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, b)
	var done sync.WaitGroup
	for range 8 {
		done.Go(func() {
			for range 1000 {
				if err := badger.GiveUp(b); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done.Wait()
	if n := most.Load(); n > 0 {
		t.Errorf("%d calls were under way at once", n)
	}
}
