package badger_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/badger"
	"github.com/gabion-storage/gabion/internal/disk"
	"github.com/gabion-storage/gabion/internal/disktest"
)

// claimsSpace has an index believe that there is more than enough, as it is with a quota, of which the
// file system says nothing.
func claimsSpace(b *badger.Store) {
	badger.SetSpace(b, func() disk.Space { return disk.Space{Bytes: 1 << 40, Inodes: 1 << 20} })
}

// TestBadgerQuota has others take all the space while the file system says that there is more. Updates
// go on in the log whose space is set aside. Where Badger may begin the next one, what the owner has set
// aside is asked for, and then they are refused.
func TestBadgerQuota(t *testing.T) {
	for _, kind := range []string{"tmpfs", "ext4", "xfs", "btrfs", "a quota"} {
		t.Run(kind, func(t *testing.T) {
			var mount string
			if kind == "a quota" {
				mount = disktest.MountLimited(t, 200<<20)
			} else {
				mount = disktest.Mount(t, kind, 320<<20)
			}
			reserve, foreign := filepath.Join(mount, "reserve"), filepath.Join(mount, "foreign")
			set, err := os.Create(reserve)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(disk.Preallocate(set, 0, 32<<20), set.Close()); err != nil {
				t.Fatal(err)
			}
			asked := 0
			b, err := badger.Open(t.Context(), filepath.Join(mount, "index"), &badger.Options{GiveUp: func() error {
				if asked++; asked > 1 {
					return nil
				}
				return os.Remove(reserve)
			}})
			if err != nil {
				t.Fatal(err)
			}
			if kind != "a quota" {
				claimsSpace(b)
			}
			if err := putSome(t, b, 0); err != nil {
				t.Fatal(err)
			}
			disktest.TakeAll(t, foreign)
			first := badger.Logs(b)
			put, rotated := 1, 0
			for ; err == nil && put < 10_000; put++ {
				if err = putSome(t, b, put); badger.Logs(b) > first && rotated == 0 {
					rotated = put
				}
			}
			if !errors.Is(err, index.ErrNoSpace) || asked == 0 {
				t.Errorf("Update %d: %v, want ErrNoSpace; the reserve was asked for %d times", put, err, asked)
			}
			if rotated == 0 {
				t.Errorf("the reserve lets no log begin: there were %d updates", put)
			}
			disktest.GiveBack(t, foreign)
			closeStore(t, b)
			b = open(t, filepath.Join(mount, "index"))
			defer closeStore(t, b)
			err = b.View(t.Context(), func(r index.Reader) error {
				for n := range put - 1 {
					if _, err := r.Get(fmt.Appendf(nil, "key%06d", n)); err != nil {
						return fmt.Errorf("record %d of %d: %w", n, put-1, err)
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// TestBadgerHolds has others take all the space when Badger may begin the next log with any commit. That
// one, and the table of the one before, have what was held for them.
func TestBadgerHolds(t *testing.T) {
	for _, kind := range []string{"tmpfs", "ext4", "xfs", "btrfs"} {
		t.Run(kind, func(t *testing.T) {
			mount := disktest.Mount(t, kind, 320<<20)
			foreign := filepath.Join(mount, "foreign")
			b, err := badger.Open(t.Context(), filepath.Join(mount, "index"), nil)
			if err != nil {
				t.Fatal(err)
			}
			first, n := badger.Logs(b), 0
			for ; !badger.Holds(b); n++ {
				if err := putSome(t, b, n); err != nil || badger.Logs(b) > first {
					t.Fatalf("Update %d of log %d: %v, and nothing is held", n, badger.Logs(b), err)
				}
			}
			disktest.TakeAll(t, foreign)
			for ; badger.Logs(b) == first; n++ {
				if err := putSome(t, b, n); err != nil {
					t.Fatalf("Update %d: %v", n, err)
				}
			}
			badger.WaitFlushed(b)
			if badger.Holds(b) {
				t.Error("it is still held")
			}
			disktest.GiveBack(t, foreign)
			closeStore(t, b)
		})
	}
}

// TestBadgerHeldForClose closes an index on a disk that others have filled, when it holds what that
// takes.
func TestBadgerHeldForClose(t *testing.T) {
	b, mount := openSmall(t, "tmpfs", 128<<20)
	for n := 0; !badger.Holds(b); n++ {
		if err := putSome(t, b, n); err != nil {
			t.Fatal(err)
		}
	}
	disktest.TakeAll(t, filepath.Join(mount, "foreign"))
	closeStore(t, b)
}

// TestBadgerCompactHolds commits while a compaction runs until the log of the new database is nearly
// full. An update that was found ready before the databases changed may be the first to write there: so
// it is held for what Badger may begin.
func TestBadgerCompactHolds(t *testing.T) {
	b, mount := openSmall(t, "tmpfs", 320<<20)
	load(t, b, 1000, 1000, 1)
	nested := false
	badger.SetSpace(b, func() disk.Space {
		if !nested {
			nested = true
			load(t, b, 4600, 1000, 2)
		}
		space, err := disk.SpaceOf(mount)
		if err != nil {
			t.Error(err)
		}
		return space
	})
	first := badger.LogPath(b)
	compact(t, b)
	if badger.LogPath(b) == first || badger.LogUsed(b) < 5_200_000 {
		t.Errorf("the log has %d bytes: the test has lost its grip", badger.LogUsed(b))
	}
	if !badger.Holds(b) {
		t.Error("nothing is held")
	}
	closeStore(t, b)
}

// TestBadgerHeldNoLonger has a View keep a database that holds space and is replaced. It holds none then.
func TestBadgerHeldNoLonger(t *testing.T) {
	b := open(t, t.TempDir())
	defer closeStore(t, b)
	for n := 0; !badger.Holds(b); n++ {
		if err := putSome(t, b, n); err != nil {
			t.Fatal(err)
		}
	}
	holds := badger.HoldsOf(b)
	err := b.View(t.Context(), func(index.Reader) error {
		compact(t, b)
		if holds() {
			t.Error("it is still held")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestBadgerHoldsNoInodes has others take the inodes while space is held. Badger makes files when it begins a
// log, so updates are refused.
func TestBadgerHoldsNoInodes(t *testing.T) {
	b := open(t, t.TempDir())
	defer closeStore(t, b)
	n := 0
	for ; !badger.Holds(b); n++ {
		if err := putSome(t, b, n); err != nil {
			t.Fatal(err)
		}
	}
	badger.SetSpace(b, func() disk.Space { return disk.Space{Bytes: 1 << 40} })
	if err := putSome(t, b, n); !errors.Is(err, index.ErrNoSpace) {
		t.Errorf("Update: %v, want ErrNoSpace", err)
	}
	badger.SetSpace(b, func() disk.Space { return disk.Space{Inodes: 1 << 20} })
	if err := putSome(t, b, n); err != nil {
		t.Errorf("Update with inodes: %v", err)
	}
	claimsSpace(b)
}

// TestBadgerSharedLog has the log be shared with a copy, so that each write takes another block, and
// others take all the space. What the owner has set aside is asked for before the index gives up.
func TestBadgerSharedLog(t *testing.T) {
	for _, kind := range []string{"xfs", "btrfs"} {
		t.Run(kind, func(t *testing.T) {
			mount := disktest.Mount(t, kind, 400<<20)
			reserve, foreign := filepath.Join(mount, "reserve"), filepath.Join(mount, "foreign")
			if err := os.WriteFile(reserve, make([]byte, 32<<20), 0o600); err != nil {
				t.Fatal(err)
			}
			asked := 0
			b, err := badger.Open(t.Context(), filepath.Join(mount, "index"), &badger.Options{GiveUp: func() error {
				asked++
				f, err := os.OpenFile(reserve, os.O_RDWR, 0)
				if err != nil {
					return err
				}
				return errors.Join(disk.PunchHole(f, 0, 32<<20), f.Close())
			}})
			if err != nil {
				t.Fatal(err)
			}
			for n := range 10 {
				if err := putSome(t, b, n); err != nil {
					t.Fatal(err)
				}
			}
			share(t, badger.LogPath(b), filepath.Join(mount, "copy"))
			disktest.TakeAll(t, foreign)
			for n := 10; n < 60; n++ {
				if err := putSome(t, b, n); err != nil {
					t.Fatalf("Update %d: %v; the reserve was asked for %d times", n, err, asked)
				}
			}
			if asked == 0 {
				t.Error("the reserve was not asked for: the test has lost its grip")
			}
			disktest.GiveBack(t, foreign)
			closeStore(t, b)
		})
	}
}

// share makes a copy of a file that shares its blocks.
func share(t *testing.T, path, copied string) {
	t.Helper()
	from, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	dir, err := disk.OpenDir(filepath.Dir(copied))
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	dir.WriteInPlace() // Btrfs has files share blocks only if both are so
	to, err := dir.Create(filepath.Base(copied))
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	if err := unix.IoctlFileClone(int(to.Fd()), int(from.Fd())); err != nil {
		t.Fatalf("the log cannot be shared: %v", err)
	}
}
