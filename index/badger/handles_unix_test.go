//go:build linux || darwin

package badger_test

import (
	"errors"
	"syscall"
	"testing"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/badger"
)

// TestBadgerNoHandles uses up the file handles of the process. Updates go on while they fit into the
// log that is open. Then they have to be refused while Badger's background work still has some to
// create its files with.
func TestBadgerNoHandles(t *testing.T) {
	b := open(t, t.TempDir())
	defer closeStore(t, b)
	load(t, b, 10, 10, 1)

	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	next, err := syscall.Dup(0) // the lowest free handle
	if err != nil {
		t.Fatal(err)
	}
	few := before
	few.Cur = uint64(next) + 4 // enough for nothing but a few reads
	if err := errors.Join(syscall.Close(next), syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few)); err != nil {
		t.Fatal(err)
	}
	put := func(tx index.Tx) error { return tx.Put([]byte("a"), make([]byte, index.MaxValueSize)) }
	log, updates := badger.Logs(b), 0
	refused := b.Update(t.Context(), put)
	for refused == nil && badger.Logs(b) == log {
		updates++
		refused = b.Update(t.Context(), put)
	}
	read := b.View(t.Context(), func(r index.Reader) error { return checkLoad(r, 10, 10, 1) })
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(refused, syscall.EMFILE) || updates == 0 {
		t.Errorf("after %d Updates: %v, want EMFILE", updates, refused)
	}
	if read != nil {
		t.Errorf("View: %v", read)
	}
	if err := b.Update(t.Context(), put); err != nil {
		t.Errorf("Update afterwards: %v", err)
	}
}
