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
	"slices"
	"strings"
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
// btrfs in a file. The options are those of mount(8). It skips the test where that cannot be done.
func Mount(t testing.TB, kind string, size int64, options ...string) (dir string) {
	t.Helper()
	if kind == "tmpfs" {
		return mount(t, kind, kind, append(options, fmt.Sprintf("size=%d", size))).Dir
	}
	image := filepath.Join(t.TempDir(), "image")
	Make(t, kind, image, size)
	return MountImage(t, kind, image, options...).Dir
}

// MountLimited mounts a btrfs and returns a directory in it that gets so many bytes. The file system says
// of it that there are more.
func MountLimited(t testing.TB, size int64) (dir string) {
	t.Helper()
	mount := Mount(t, "btrfs", size+1<<30)
	dir = filepath.Join(mount, "limited")
	run(t, "btrfs", "quota", "enable", mount)
	run(t, "btrfs", "subvolume", "create", dir)
	Limit(t, dir, size)
	return dir
}

// Limit has a directory of MountLimited get so many bytes in all. Btrfs is not exact about that.
func Limit(t testing.TB, dir string, size int64) {
	t.Helper()
	run(t, "btrfs", "filesystem", "sync", dir)
	run(t, "btrfs", "qgroup", "limit", fmt.Sprint(size), dir)
}

// Make makes a file system of so many bytes in a file, which is replaced if there is one. The
// arguments are the command's. It skips the test where that cannot be done.
func Make(t testing.TB, kind, image string, size int64, args ...string) {
	t.Helper()
	err := errors.Join(os.RemoveAll(image), os.WriteFile(image, nil, 0o600), os.Truncate(image, size&^4095))
	if err != nil {
		t.Fatal(err)
	}
	command := slices.Concat(mkfs[kind], args, []string{image})
	run(t, command[0], command[1:]...)
}

// MountImage mounts a file system that lies in a file until the test ends, or Unmount is called.
func MountImage(t testing.TB, kind, image string, options ...string) *Mounted {
	t.Helper()
	if kind == "btrfs" {
		// The kernel keeps in mind who has had an image's id, and refuses a copy that is older.
		run(t, "btrfs", "device", "scan", "--forget")
	}
	return mount(t, kind, image, append(options, "loop"))
}

// Mounted is a file system that is mounted.
type Mounted struct {
	Dir string

	t    testing.TB
	over bool
}

func mount(t testing.TB, kind, device string, options []string) *Mounted {
	t.Helper()
	m := &Mounted{Dir: t.TempDir(), t: t}
	run(t, "mount", "-t", kind, "-o", strings.Join(options, ","), device, m.Dir)
	t.Cleanup(m.Unmount)
	return m
}

// Unmount ends it. A second one does nothing.
func (m *Mounted) Unmount() {
	m.t.Helper()
	if m.over {
		return
	}
	m.over = true
	if err := syscall.Unmount(m.Dir, 0); err != nil {
		m.t.Error(err)
	}
}

func run(t testing.TB, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Skipf("a small file system needs privileges and tools: %s: %v: %s", name, err, out)
	}
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
		case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
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
	if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
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
