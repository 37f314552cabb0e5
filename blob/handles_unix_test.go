//go:build linux || darwin

package blob_test

import (
	"context"
	"errors"
	"syscall"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/blob/blobtest"
)

// TestNoHandles uses up the file handles of the process. A new volume must be refused with an error, and
// made later.
func TestNoHandles(t *testing.T) {
	s := open(t, t.TempDir(), small)
	defer s.Close()
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
	id, frame := blobtest.Frame(1, 1000)
	for few := range uint64(3) { // two for the volume, one for its directory
		limit := before
		limit.Cur = uint64(next) + few
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
		_, refused := s.Put(context.Background(), id, frame)
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
			t.Fatal(err)
		}
		if !errors.Is(refused, syscall.EMFILE) {
			t.Errorf("Put with %d handles left: %v, wanted is EMFILE", few, refused)
		}
	}
	var ref blob.Ref
	if ref, err = s.Put(context.Background(), id, frame); err != nil {
		t.Fatalf("Put with handles again: %v", err)
	}
	if _, err := s.Get(context.Background(), ref, nil); err != nil {
		t.Error(err)
	}
}
