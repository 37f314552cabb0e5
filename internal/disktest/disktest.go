//go:build linux

// Package disktest mounts small file systems for tests.
package disktest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// mkfs are the commands that make a file system in a file.
var mkfs = map[string][]string{
	"ext4":  {"mkfs.ext4", "-q", "-F"},
	"xfs":   {"mkfs.xfs", "-q", "-f"},
	"btrfs": {"mkfs.btrfs", "-q", "-f"},
}

// Mount mounts a new file system of so many bytes until the test ends: a tmpfs, or an ext4, xfs or
// btrfs in a file. It skips the test where that cannot be done.
func Mount(t testing.TB, kind string, size int64) (dir string) {
	t.Helper()
	run := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			t.Skipf("a small file system needs privileges and tools: %s: %v: %s", name, err, out)
		}
	}
	dir = t.TempDir()
	if kind == "tmpfs" {
		run("mount", "-t", kind, "-o", fmt.Sprintf("size=%d", size), kind, dir)
	} else {
		image := filepath.Join(t.TempDir(), "image")
		if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, size&^4095)); err != nil {
			t.Fatal(err)
		}
		command := mkfs[kind]
		run(command[0], append(command[1:], image)...)
		run("mount", "-o", "loop", image, dir)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// TakeAll makes a file for which the file system gives all that it has left, to the last block.
func TakeAll(t testing.TB, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var size int64
	for piece := int64(64 << 20); piece >= 4<<10; {
		switch err := syscall.Fallocate(int(f.Fd()), 0, size, piece); {
		case err == nil:
			size += piece
		case errors.Is(err, syscall.ENOSPC):
			piece /= 2
		case !errors.Is(err, syscall.EINTR):
			t.Fatal(err)
		}
	}
	if _, err := f.Seek(size, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	for err = nil; err == nil; { // what is kept from who sets aside
		_, err = f.Write(make([]byte, 4<<10))
	}
	if syncErr := f.Sync(); syncErr != nil {
		err = syncErr
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}

// GiveBack removes the file, and waits until its space is free: XFS and Btrfs see to that later.
func GiveBack(t testing.TB, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := errors.Join(os.Remove(path), unix.Syncfs(int(dir.Fd()))); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		var fs syscall.Statfs_t
		if err := syscall.Fstatfs(int(dir.Fd()), &fs); err != nil {
			t.Fatal(err)
		}
		if int64(fs.Bavail)*fs.Bsize >= info.Size()*9/10 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d bytes are removed, and %d blocks free", info.Size(), fs.Bavail)
		}
	}
}
