package disk_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gabion-storage/gabion/internal/disk"
	"github.com/gabion-storage/gabion/internal/disktest"
)

// TestFullDisk meets a file system that is really full.
func TestFullDisk(t *testing.T) {
	dir := disktest.Mount(t, "tmpfs", 4<<20)
	f, err := os.Create(filepath.Join(dir, "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := disk.Preallocate(f, 0, 3<<20); err != nil {
		t.Fatalf("3 of 4 MiB: %v", err)
	}
	if info, err := f.Stat(); err != nil || info.Size() != 0 {
		t.Errorf("preallocation changed the size to %d, %v", info.Size(), err)
	}
	if space, err := disk.SpaceOf(dir); err != nil || space.Bytes > 1<<20 {
		t.Errorf("%d bytes are free, %v; wanted is 1 MiB at most", space.Bytes, err)
	}
	if err := disk.Preallocate(f, 3<<20, 3<<20); !disk.IsNoSpace(err) {
		t.Errorf("6 of 4 MiB: %v", err)
	}
	if err := disk.Extend(f, 3<<20, 6<<20); !disk.IsNoSpace(err) {
		t.Errorf("Extend to 6 of 4 MiB: %v", err)
	}
	var async disk.Async
	defer async.Close()
	if err := async.WriteAt(f, make([]byte, 6<<20), 0); !disk.IsNoSpace(err) {
		t.Errorf("WriteAt of 6 of 4 MiB: %v", err)
	}
	path := filepath.Join(dir, "put")
	if err := disk.WriteFile(path, make([]byte, 3<<20), 0o666); !disk.IsNoSpace(err) {
		t.Errorf("WriteFile without room: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestCatchFaults writes to memory maps of files for which a full disk has no block.
func TestCatchFaults(t *testing.T) {
	for _, kind := range []string{"tmpfs", "ext4", "btrfs"} {
		t.Run(kind, func(t *testing.T) {
			dir := disktest.Mount(t, kind, 320<<20)
			f, err := os.Create(filepath.Join(dir, "mapped"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if err := f.Truncate(disk.BlockSize); err != nil {
				t.Fatal(err)
			}
			mem, err := unix.Mmap(int(f.Fd()), 0, disk.BlockSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Munmap(mem)
			foreign := filepath.Join(dir, "foreign")
			disktest.TakeAll(t, foreign)
			d, err := disk.OpenDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			write := func() error {
				return disk.CatchFaults(func() error { mem[0] = 1; return nil })
			}
			if err := write(); err == nil {
				t.Error("a page was written for which there is no block")
			}
			if err := d.CheckSpace(1 << 20); !disk.IsNoSpace(err) {
				t.Errorf("CheckSpace: %v", err)
			}
			disktest.GiveBack(t, foreign)
			if err := d.CheckSpace(1 << 20); err != nil {
				t.Errorf("CheckSpace with space: %v", err)
			}
			if err := write(); err != nil {
				t.Errorf("with space: %v", err)
			}
		})
	}
}

// TestCatchFaultsPasses has errors and panics pass that are no faults.
func TestCatchFaultsPasses(t *testing.T) {
	want := errors.New("other")
	if err := disk.CatchFaults(func() error { return want }); err != want {
		t.Errorf("%v, wanted is the error that was returned", err)
	}
	defer func() {
		if p := recover(); p != want {
			t.Errorf("%v, wanted is the panic", p)
		}
	}()
	_ = disk.CatchFaults(func() error { panic(want) })
}

// TestLostPages writes to a device that takes more than it can keep: what is in the page cache
// cannot get to it, which only a sync finds out. It must say so.
func TestLostPages(t *testing.T) {
	var async disk.Async
	defer async.Close()
	for name, sync := range map[string]func(*os.File) error{"SyncData": disk.SyncData, "Async": async.SyncData} {
		t.Run(name, func(t *testing.T) {
			backing := filepath.Join(disktest.Mount(t, "tmpfs", 4<<20), "device")
			write(t, backing, nil)
			if err := os.Truncate(backing, 16<<20); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command("losetup", "--find", "--show", backing).Output()
			if err != nil {
				t.Skipf("a device in a file needs privileges and tools: %v", err)
			}
			device := strings.TrimSpace(string(out))
			defer func() {
				if err := exec.Command("losetup", "--detach", device).Run(); err != nil {
					t.Error(err)
				}
			}()
			f, err := os.OpenFile(device, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.WriteAt(randomBlocks(4, 8<<20/disk.BlockSize), 0); err != nil {
				t.Fatal(err)
			}
			if err := sync(f); err == nil {
				t.Error("8 MiB are durable in 4")
			}
		})
	}
}
