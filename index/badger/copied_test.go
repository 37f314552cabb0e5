package badger_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/badger"
	"github.com/gabion-storage/gabion/internal/disk"
)

// TestBadgerCopied commits while a compaction runs, and has a crash come just after it, and the disk
// damage the log in which the new database has what was copied. That is one commit to Badger, but several
// that were acknowledged: it is all there, or the damage is reported.
func TestBadgerCopied(t *testing.T) {
	const records, size = 3000, 1000
	dir := t.TempDir()
	b := open(t, dir)
	load(t, b, records, size, 1)
	nested := false
	badger.SetSpace(b, func() disk.Space {
		if !nested {
			nested = true
			load(t, b, records, size, 2)
		}
		return disk.Space{Bytes: 1 << 40, Inodes: 1 << 20}
	})
	compact(t, b)
	image := crashed(t, dir)
	used := badger.LogUsed(b)
	closeStore(t, b)
	if used < records*size {
		t.Fatalf("the log has %d bytes: the test has lost its grip", used)
	}
	for name, damage := range map[string]func(log string) error{
		"none":   func(string) error { return nil },
		"a bit":  func(log string) error { return flipAt(log, records*size/10) },
		"a tail": func(log string) error { return os.Truncate(log, records*size/2) },
		"no log": os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			dir := crashed(t, image)
			if err := damage(onlyMem(t, dir)); err != nil {
				t.Fatal(err)
			}
			b, err := badger.Open(t.Context(), dir, nil)
			var corrupt *index.CorruptionError
			if name != "none" {
				if !errors.As(err, &corrupt) {
					t.Errorf("Open: %v, want a CorruptionError", err)
				}
				if err == nil {
					closeStore(t, b)
				}
				return
			}
			log := filepath.Join(databaseOf(t, dir), filepath.Base(onlyMem(t, image)))
			before, readErr := os.ReadFile(onlyMem(t, image))
			if readErr != nil {
				t.Fatal(readErr)
			}
			for range 2 {
				if err != nil {
					t.Fatal(err)
				}
				if err := b.View(t.Context(), func(r index.Reader) error { return checkLoad(r, records, size, 2) }); err != nil {
					t.Error(err)
				}
				closeStore(t, b)
				// As after a crash that came before the log was removed: what it has is there twice.
				if err := errors.Join(os.WriteFile(log, before, 0o600), os.Remove(filepath.Join(filepath.Dir(log), "SUMS"))); err != nil {
					t.Fatal(err)
				}
				b, err = badger.Open(t.Context(), dir, nil)
			}
			closeStore(t, b)
		})
	}
}

// flipAt flips a bit of a file.
func flipAt(path string, at int64) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	one := make([]byte, 1)
	if _, err := f.ReadAt(one, at); err != nil {
		return err
	}
	one[0] ^= 1
	_, err = f.WriteAt(one, at)
	return err
}
