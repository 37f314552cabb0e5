//go:build linux

// Package disktest mounts small file systems for tests.
package disktest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
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

// TakeAll writes a file until the file system has no block left.
func TakeAll(t testing.TB, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int{1 << 20, 4 << 10} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
		// What is only in the page cache may turn out to take less, or more.
		if syncErr := f.Sync(); syncErr != nil {
			err = syncErr
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
}
