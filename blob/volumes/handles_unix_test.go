//go:build linux || darwin

package volumes_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/blob/blobtest"
	"github.com/gabion-storage/gabion/blob/volumes"
)

// TestNoHandles uses up the file handles of the process. A new volume must be refused with an
// error, leave nothing behind, and be made later.
func TestNoHandles(t *testing.T) { forKinds(t, testNoHandles) }

func testNoHandles(t *testing.T, k volumes.Kind) {
	dir := t.TempDir()
	s := open(t, dir, small(k))
	defer s.Close()
	id, frame := blobtest.Frame(1, 1000)
	enough := uint64(2) // one to write the volume, one to read it
	if k != volumes.Log {
		enough = 16 // and what Badger takes
	}
	for few := uint64(0); few < enough; few += enough / 2 {
		var refused error
		withHandles(t, few, func() { _, refused = s.Put(context.Background(), id, frame) })
		if !errors.Is(refused, syscall.EMFILE) {
			t.Errorf("Put with %d handles left: %v, wanted is EMFILE", few, refused)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "0*")); err != nil || len(left) > 0 {
		t.Errorf("volumes that could not be made left %v, %v", left, err)
	}
	ref, err := s.Put(context.Background(), id, frame)
	if err != nil {
		t.Fatalf("Put with handles again: %v", err)
	}
	if _, err := s.Get(context.Background(), ref, nil); err != nil {
		t.Error(err)
	}
}

// TestRemoveWithoutHandles removes volumes when no file can be opened: the directory is open. Nor
// does it matter that somebody else has removed the file already.
func TestRemoveWithoutHandles(t *testing.T) { forKinds(t, testRemoveWithoutHandles) }

func testRemoveWithoutHandles(t *testing.T, k volumes.Kind) {
	ctx := context.Background()
	dir := t.TempDir()
	s := open(t, dir, small(k))
	defer s.Close()
	for _, gone := range []bool{false, true} {
		ref := putSealed(t, s)
		if gone {
			if err := os.RemoveAll(filepath.Join(dir, fmt.Sprintf("%016x.%s", ref.Volume, suffixOf(k)))); err != nil {
				t.Fatal(err)
			}
		}
		var err error
		withHandles(t, 0, func() { err = s.Remove(ctx, ref.Volume) })
		if k != volumes.Log && errors.Is(err, syscall.EMFILE) && !gone {
			// A directory must be opened to be emptied: that is for later.
			err = s.Remove(ctx, ref.Volume)
		}
		if err != nil {
			t.Errorf("gone %v: Remove without handles: %v", gone, err)
		}
	}
	if infos, err := s.Volumes(ctx); err != nil || len(infos) > 0 {
		t.Errorf("volumes: %v, %v", infos, err)
	}
}

// TestGetWithoutHandles reads from a volume that cannot be opened just now: that is no damage.
func TestGetWithoutHandles(t *testing.T) { forKinds(t, testGetWithoutHandles) }

func testGetWithoutHandles(t *testing.T, k volumes.Kind) {
	ctx := context.Background()
	s := open(t, t.TempDir(), small(k))
	defer s.Close()
	ref := putSealed(t, s)
	var refused error
	withHandles(t, 0, func() { _, refused = s.Get(ctx, ref, nil) })
	var corrupt *blob.CorruptionError
	if !errors.Is(refused, syscall.EMFILE) || errors.As(refused, &corrupt) {
		t.Errorf("Get without handles: %v, wanted is EMFILE", refused)
	}
	if _, err := s.Get(ctx, ref, nil); err != nil {
		t.Errorf("Get with handles again: %v", err)
	}
}

// putSealed puts a frame into a volume and seals that.
func putSealed(t *testing.T, s blob.Store) blob.Ref {
	t.Helper()
	ctx := context.Background()
	id, frame := blobtest.Frame(1, 1000)
	ref, err := s.Put(ctx, id, frame)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Seal(ctx, ref.Volume); err != nil {
		t.Fatal(err)
	}
	return ref
}

// withHandles calls fn while the process can open only so many more files.
func withHandles(t *testing.T, few uint64, fn func()) {
	t.Helper()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	next, err := syscall.Dup(0) // the lowest free handle
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Close(next); err != nil {
		t.Fatal(err)
	}
	limit := before
	limit.Cur = uint64(next) + few
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	fn()
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
}
