package badger_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/badger"
	"github.com/gabion-storage/gabion/internal/disk"
	"github.com/gabion-storage/gabion/internal/disktest"
)

// TestBadgerSmallReserve has others leave a little more than the reserve of a real file system,
// which is less than a log and the table of the one before take. The log that is set aside is
// filled, and then updates are refused: Badger must not meet the end of the disk, which kills.
func TestBadgerSmallReserve(t *testing.T) {
	const reserve, left = 16 << 20, 17 << 20
	mount := disktest.Mount(t, "tmpfs", 128<<20)
	dir := filepath.Join(mount, "index")
	b, err := badger.Open(t.Context(), dir, &badger.Options{Reserve: reserve})
	if err != nil {
		t.Fatal(err)
	}
	random := rand.NewChaCha8([32]byte{})
	put := func() error { // what does not compress
		value := make([]byte, 40<<10)
		random.Read(value)
		return b.Update(t.Context(), func(tx index.Tx) error { return tx.Put(value[:16], value) })
	}
	if err := put(); err != nil { // which sets the log's blocks aside
		t.Fatal(err)
	}
	foreign := fillUpTo(t, mount, left)
	updates := 0
	for ; err == nil && updates < 1000; updates++ {
		err = put()
	}
	if !errors.Is(err, index.ErrNoSpace) || updates < 100 {
		t.Errorf("Update %d: %v, want ErrNoSpace once the log is full", updates, err)
	}
	if err := os.Remove(foreign); err != nil {
		t.Fatal(err)
	}
	if err := put(); err != nil {
		t.Errorf("Update with space: %v", err)
	}
	closeStore(t, b)
}

// fillUpTo makes a file that leaves so many bytes of a file system free.
func fillUpTo(t *testing.T, mount string, left int64) (name string) {
	t.Helper()
	var fs syscall.Statfs_t
	if err := syscall.Statfs(mount, &fs); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(mount, "foreign"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := disk.Preallocate(f, 0, int64(fs.Bavail)*fs.Bsize-left); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// TestBadgerRetireFull ends a View that has kept an old database while others have filled the disk
// to its last byte. To close that database Badger writes a table, which would kill the process.
func TestBadgerRetireFull(t *testing.T) {
	for _, kind := range []string{"tmpfs", "ext4", "xfs", "btrfs"} {
		t.Run(kind, func(t *testing.T) {
			b, mount := openSmall(t, kind, 320<<20)
			retireFull(t, b, mount)
			databaseOf(t, filepath.Join(mount, "index")) // fails when there is another one
			disktest.GiveBack(t, filepath.Join(mount, "foreign"))
			load(t, b, 100, 1000, 2)
			closeStore(t, b)
		})
	}
}

// TestBadgerRetireRefused does so on a file system that refuses, full as it is, to give back blocks. The
// old database stays open until there is space, and the index, too.
func TestBadgerRetireRefused(t *testing.T) {
	for _, then := range []string{"close", "compact"} {
		t.Run(then, func(t *testing.T) {
			b, mount := openSmall(t, "tmpfs", 320<<20)
			badger.SetPunch(b, func(*os.File, int64, int64) error { return syscall.ENOSPC })
			retireFull(t, b, mount)
			if err := b.Compact(t.Context()); !errors.Is(err, index.ErrNoSpace) {
				t.Errorf("Compact: %v, want ErrNoSpace", err)
			}
			if then == "close" {
				if err := b.Close(); !errors.Is(err, index.ErrStillOpen) {
					t.Errorf("Close: %v, want ErrStillOpen", err)
				}
			}
			disktest.GiveBack(t, filepath.Join(mount, "foreign"))
			if then == "compact" {
				compact(t, b)
			} else {
				closeStore(t, b)
			}
			databaseOf(t, filepath.Join(mount, "index"))
			if then == "compact" {
				closeStore(t, b)
			}
		})
	}
}

// retireFull ends a View of a database that was replaced when the disk is full.
func retireFull(t *testing.T, b *badger.Store, mount string) {
	t.Helper()
	const records, size = 3000, 1000
	load(t, b, records, size, 1)
	looking, enough := make(chan struct{}), make(chan struct{})
	looked := make(chan error)
	go func() {
		looked <- b.View(context.Background(), func(r index.Reader) error {
			close(looking)
			<-enough
			return checkLoad(r, records, size, 1)
		})
	}()
	<-looking
	compact(t, b)
	load(t, b, 10, 10, 2)
	disktest.TakeAll(t, filepath.Join(mount, "foreign"))
	close(enough)
	if err := <-looked; err != nil {
		t.Error(err)
	}
	badger.WaitRetired(b)
}

// TestBadgerUndoFull has others fill the disk while a compaction catches up with what was committed
// meanwhile. What it has built goes, without Badger writing a table of it; where the file system is too
// full to give back blocks, later, and its number is not used again.
func TestBadgerUndoFull(t *testing.T) {
	t.Run("goes", func(t *testing.T) { testUndoFull(t, disk.PunchHole, "00000002") })
	refuse := func(*os.File, int64, int64) error { return syscall.ENOSPC }
	t.Run("stays", func(t *testing.T) { testUndoFull(t, refuse, "00000003") })
}

func testUndoFull(t *testing.T, punch func(*os.File, int64, int64) error, next string) {
	b, mount := openSmall(t, "tmpfs", 256<<20)
	badger.SetPunch(b, punch)
	const records, size = 3000, 1000
	load(t, b, records, size, 1)
	foreign, asked, nested := "", 0, false
	badger.SetSpace(b, func() disk.Space {
		if !nested {
			nested = true
			switch asked++; asked {
			case 1: // before the table is written
				load(t, b, records, size, 2) // which is copied into the memtable of the new database
			case 3: // before the second transaction of that
				foreign = fillUpTo(t, mount, 0)
			}
			nested = false
		}
		space, err := disk.SpaceOf(mount)
		if err != nil {
			t.Error(err)
		}
		return space
	})
	err := b.Compact(t.Context())
	if err == nil {
		t.Error("Compact succeeds on a full disk")
	}
	if asked != 3 {
		t.Errorf("Compact has asked %d times how much is free: the test has lost its grip", asked)
	}
	left, err := filepath.Glob(filepath.Join(mount, "index", "0*"))
	if want := int(next[7] - '1'); err != nil || len(left) != want {
		t.Errorf("there are %q, %v, want %d", left, err, want)
	}
	if err := os.Remove(foreign); err != nil {
		t.Fatal(err)
	}
	compact(t, b)
	if is := filepath.Base(databaseOf(t, filepath.Join(mount, "index"))); is != next {
		t.Errorf("the database is %s, want %s", is, next)
	}
	if err := b.View(t.Context(), func(r index.Reader) error { return checkLoad(r, records, size, 2) }); err != nil {
		t.Error(err)
	}
	closeStore(t, b)
}

// openSmall opens an index on a file system of so many bytes.
func openSmall(t *testing.T, kind string, bytes int64) (b *badger.Store, mount string) {
	t.Helper()
	mount = disktest.Mount(t, kind, bytes)
	b, err := badger.Open(t.Context(), filepath.Join(mount, "index"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return b, mount
}

// TestBadgerRetiresAlone ends a View that has kept an old database. No commit comes, nor does one take
// space, from when its blocks are given back until it has written its last table.
func TestBadgerRetiresAlone(t *testing.T) {
	b := open(t, t.TempDir())
	load(t, b, 10, 10, 1)
	closedBefore, waited, closed := badger.ClosedBeforeCommits(b), false, make(chan bool)
	var once sync.Once
	badger.SetPunch(b, func(f *os.File, off, n int64) error {
		once.Do(func() {
			waited = badger.CommitsWait(b)
			go func() { closed <- closedBefore() }()
		})
		return disk.PunchHole(f, off, n)
	})
	compact(t, b)
	if !waited || !<-closed {
		t.Errorf("commits wait: %v, and the old database may still write when they do not", waited)
	}
	closeStore(t, b)
}

// TestBadgerRetiresAtOnce retires a database of many tables: commits wait for the blocks that closing it
// may take, not for those of every table.
func TestBadgerRetiresAtOnce(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	load(t, b, 50_000, 1000, 1) // not yet enough for a compaction of its own
	tables, err := filepath.Glob(filepath.Join(databaseOf(t, dir), "*.sst"))
	if err != nil {
		t.Fatal(err)
	}
	var punched []string
	badger.SetPunch(b, func(f *os.File, off, n int64) error {
		punched = append(punched, f.Name())
		return disk.PunchHole(f, off, n)
	})
	compact(t, b)
	badger.WaitRetired(b)
	if len(punched) == 0 || len(punched) >= len(tables) {
		t.Errorf("of %d tables %q gave back their blocks", len(tables), punched)
	}
	closeStore(t, b)
}
