package disk_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gabion-storage/gabion/internal/disk"
)

// TestAsyncLostWrite has the kernel fail to tell how a write ended. The write is done again, and
// nobody takes the end of the first for that of something else: its context is gone.
func TestAsyncLostWrite(t *testing.T) {
	f, async := asyncFile(t)
	failed, later := disk.LoseEvents(async, 1)
	want := randomBlocks(9, 1024)
	if err := async.WriteAt(f, want, 0); err != nil {
		t.Fatal(err)
	}
	if len(failed) != 1 {
		t.Skip("this system has no asynchronous I/O")
	}
	if n := contexts(t); n != 0 {
		t.Errorf("%d contexts are left, with a write under way", n)
	}
	if got, err := os.ReadFile(f.Name()); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the file reads back wrong: %v", err)
	}
	if n := disk.Lanes(async); n != 0 {
		t.Errorf("%d lanes are counted, none is there", n)
	}
	for range 3 {
		if err := async.WriteAt(f, want, 0); err != nil {
			t.Error(err)
		}
		if err := async.SyncData(f); err != nil {
			t.Error(err)
		}
	}
	if len(later) == 0 {
		t.Error("asynchronous I/O was not taken up again")
	}
	if err := async.Close(); err != nil {
		t.Error(err)
	}
}

// TestAsyncLostSync has it fail to tell how a sync ended. That must be an error, whatever a second
// sync would say: the first may have been the only one to hear of a lost page.
func TestAsyncLostSync(t *testing.T) {
	f, async := asyncFile(t)
	failed, _ := disk.LoseEvents(async, 1)
	err := async.SyncData(f)
	if len(failed) != 1 {
		t.Skip("this system has no asynchronous I/O")
	}
	if !errors.Is(err, unix.EINVAL) {
		t.Errorf("the sync that nobody knows the end of: %v", err)
	}
	if n := contexts(t); n != 0 {
		t.Errorf("%d contexts are left", n)
	}
	if err := async.SyncData(f); err != nil {
		t.Errorf("the next sync: %v", err)
	}
	if err := async.Close(); err != nil {
		t.Error(err)
	}
}

func asyncFile(t *testing.T) (*os.File, *disk.Async) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, &disk.Async{}
}

// contexts counts the contexts of asynchronous I/O that this process has.
func contexts(t *testing.T) int {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(maps, []byte("[aio]"))
}
