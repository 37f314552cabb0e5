package badger_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/badger"
	"github.com/gabion-storage/gabion/internal/disk"
)

// TestBadgerSmallReserve has others leave a little more than the reserve of a real file system,
// which is less than a log and the table of the one before take. The log that is set aside is
// filled, and then updates are refused: Badger must not meet the end of the disk, which kills.
func TestBadgerSmallReserve(t *testing.T) {
	const reserve, left = 16 << 20, 17 << 20
	mount := t.TempDir()
	if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, "size=128m"); err != nil {
		t.Skipf("mounting a small file system needs privileges: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(mount, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
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
