package volumes_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/blob/blobtest"
	"github.com/gabion-storage/gabion/blob/volumes"
)

// TestLeftoverStays opens a store in which an empty volume, as a kill leaves it, cannot be removed. What
// is in the others must be there all the same.
func TestLeftoverStays(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, nil)
	refs := fillWith(t, s, 2)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	leftover := filepath.Join(dir, "0000000000000009.badger")
	if err := os.Mkdir(leftover, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", leftover, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("mounting needs privileges: %v", err)
	}
	mounted := true
	unmount := func() {
		if mounted {
			mounted = false
			if err := syscall.Unmount(leftover, 0); err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(unmount)
	told := 0
	s = open(t, dir, &volumes.Options{Alarm: func(error) { told++ }})
	if told == 0 {
		t.Error("nobody was told")
	}
	if n := readable(t, s, refs); n != len(refs) {
		t.Errorf("%d of %d frames can be read", n, len(refs))
	}
	id, frame := blobtest.Frame(100, testFrameSize)
	if next, err := s.Put(t.Context(), id, frame); err != nil || next.Volume <= 9 {
		t.Errorf("the next volume has number %d, %v", next.Volume, err)
	}
	unmount()
	if err := s.Remove(t.Context(), 9); err != nil {
		t.Errorf("Remove: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestForeignNumbers opens a store with entries of numbers behind which there are none.
func TestForeignNumbers(t *testing.T) {
	forKinds(t, func(t *testing.T, k volumes.Kind) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "ffffffffffffffff.log"), make([]byte, 8<<10), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(dir, "8000000000000000.badger"), 0o700); err != nil {
			t.Fatal(err)
		}
		s := open(t, dir, &volumes.Options{Kind: k})
		if ref := fillWith(t, s, 1)[0]; ref.Volume == 0 || ref.Volume > blob.MaxVolume {
			t.Errorf("the first volume has number %#x", ref.Volume)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
