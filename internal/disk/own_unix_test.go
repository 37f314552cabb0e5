//go:build unix

package disk_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/gabion-storage/gabion/internal/disk"
)

// TestModes makes one of everything under masks that would let everybody in, and the owner not.
func TestModes(t *testing.T) {
	for _, mask := range []int{0, 0o022, 0o077, 0o277} {
		dir := t.TempDir()
		d := openDir(t, dir)
		old := syscall.Umask(mask)
		lock, lockErr := d.Lock()
		direct, directErr := d.CreateDirect("direct")
		file, fileErr := d.Create("file")
		errs := errors.Join(lockErr, directErr, fileErr, disk.MakeDir(filepath.Join(dir, "a", "b")), d.WriteSums(nil))
		syscall.Umask(old)
		if errs != nil {
			t.Fatalf("mask %03o: %v", mask, errs)
		}
		if err := errors.Join(lock.Unlock(), direct.Close(), file.Close()); err != nil {
			t.Error(err)
		}
		for name, want := range map[string]fs.FileMode{
			disk.LockFile: disk.FileMode, "direct": disk.FileMode, "file": disk.FileMode, disk.SumsFile: disk.FileMode,
			"a": disk.DirMode, "a/b": disk.DirMode,
		} {
			if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != want {
				t.Errorf("mask %03o: %s is %v, %v; wanted is %v", mask, name, info.Mode(), err, want)
			}
		}
	}
}

// TestLockWithoutFile deletes the lock file while it is held. The directory stays locked, for this
// process and for others.
func TestLockWithoutFile(t *testing.T) {
	if dir := os.Getenv("GABION_LOCK_DIR"); dir != "" { // the other process
		if _, err := openDir(t, dir).Lock(); !errors.Is(err, disk.ErrLocked) {
			t.Errorf("another process's lock: %v", err)
		}
		return
	}
	dir := t.TempDir()
	d := openDir(t, dir)
	lock, err := d.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, disk.LockFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Lock(); !errors.Is(err, disk.ErrLocked) {
		t.Errorf("second lock: %v", err)
	}
	other := exec.Command(os.Args[0], "-test.run=^TestLockWithoutFile$")
	other.Env = append(os.Environ(), "GABION_LOCK_DIR="+dir)
	if out, err := other.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	if lock, err = d.Lock(); err != nil {
		t.Fatal(err)
	}
	if err := lock.Unlock(); err != nil {
		t.Error(err)
	}
}
