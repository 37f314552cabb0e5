package engine_test

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// TestUnreadable makes a store beside a directory that the process may not read, as root's at the
// root of a file system, and counts what is on the disk.
func TestUnreadable(t *testing.T) {
	openTemp(t, nil) // what is made once a process is root's
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "root's"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "root's", "file"), random(1, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	asSomebodyElse(t, dir, func() {
		if _, err := os.ReadDir(filepath.Join(dir, "root's")); err == nil {
			t.Skip("everything can be read here")
		}
		e := open(t, dir, nil)
		if s := stats(t, e); s.DiskBytes == 0 {
			t.Error("nothing is on the disk")
		}
	})
}

// asSomebodyElse calls fn on a thread whose files are another user's, to whom dir is given. What
// the engine does on other threads is root's still.
func asSomebodyElse(t *testing.T, dir string, fn func()) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	const nobody = 65534
	for _, path := range []string{dir, filepath.Dir(dir)} { // what is around it is root's alone
		if err := os.Chown(path, nobody, nobody); err != nil {
			t.Skipf("this file system has no owners: %v", err)
		}
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := syscall.Setfsuid(nobody); err != nil {
		t.Skipf("a thread cannot be somebody else: %v", err)
	}
	defer func() {
		if err := syscall.Setfsuid(0); err != nil {
			panic(err) // the thread would go on as somebody else
		}
	}()
	fn()
}
