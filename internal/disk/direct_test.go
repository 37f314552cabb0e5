package disk_test

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"unsafe"

	"github.com/gabion-storage/gabion/internal/disk"
)

func TestAlignedMemory(t *testing.T) {
	for n := range 3 * disk.BlockSize {
		mem := disk.AlignedMemory(n)
		if len(mem) != n || cap(mem) != n || n > 0 && uintptr(unsafe.Pointer(&mem[0]))%disk.BlockSize != 0 {
			t.Fatalf("%d bytes: %d of %d at %p", n, len(mem), cap(mem), mem)
		}
		if up := disk.RoundUp(int64(n)); up < int64(n) || up >= int64(n)+disk.BlockSize || up%disk.BlockSize != 0 {
			t.Fatalf("%d is rounded up to %d", n, up)
		}
	}
}

func randomBlocks(seed byte, blocks int) []byte {
	mem := disk.AlignedMemory(blocks * disk.BlockSize)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(mem) // does not fail
	return mem
}

// TestCreateDirect writes blocks out of order and past the end, and reads through another handle.
func TestCreateDirect(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	d := openDir(t, filepath.Dir(path))
	f, err := d.CreateDirect("file")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := d.CreateDirect("file"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("again: %v", err)
	}
	want := randomBlocks(1, 40)
	for _, extent := range [][2]int{{20, 30}, {0, 7}, {30, 40}, {7, 20}} {
		from, to := extent[0]*disk.BlockSize, extent[1]*disk.BlockSize
		if err := disk.Extend(f, 0, int64(to)); err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(want[from:to], int64(from)); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes were read, %v", len(got), err)
	}
}

// TestAsync writes a file from many goroutines at once, more than an Async has lanes, and through
// files of both kinds.
func TestAsync(t *testing.T) {
	const writers, blocks = 150, 33
	for name, create := range map[string]func(*disk.Dir, string) (*os.File, error){"direct": (*disk.Dir).CreateDirect, "cached": (*disk.Dir).Create} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			f, err := create(openDir(t, filepath.Dir(path)), "file")
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			var async disk.Async
			want := randomBlocks(2, writers*blocks)
			const size = blocks * disk.BlockSize
			var writing sync.WaitGroup
			for i := range writers {
				writing.Go(func() {
					at := i * size
					err := async.WriteAt(f, want[at:at+size], int64(at))
					if i%10 == 0 {
						err = errors.Join(err, async.SyncData(f))
					}
					if err != nil {
						t.Error(err)
					}
				})
			}
			writing.Wait()
			if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes were read, %v", len(got), err)
			}
			if err := async.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

func TestAsyncFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, []byte("content"))
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	var async disk.Async
	defer async.Close()
	var failed *fs.PathError
	if err := async.WriteAt(f, []byte("other"), 0); !errors.As(err, &failed) || failed.Path != path {
		t.Errorf("WriteAt of a file opened for reading: %v", err)
	}
	if err := async.SyncData(f); err != nil {
		t.Errorf("SyncData: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := async.WriteAt(f, []byte("other"), 0); err == nil {
		t.Error("WriteAt of a closed file succeeds")
	}
	if err := async.SyncData(f); err == nil {
		t.Error("SyncData of a closed file succeeds")
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "content" {
		t.Errorf("the file holds %q, %v", got, err)
	}
}
