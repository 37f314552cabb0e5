package badger_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/badger"
)

// TestBadgerFlushFails has Badger fail to write a table. It does not try again, which costs a file, a
// handle and a map each time, before the index is closed.
func TestBadgerFlushFails(t *testing.T) {
	b, err := badger.Open(t.Context(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	load(t, b, 10, 10, 1)
	var closing atomic.Bool
	again := make(chan bool)
	go func() {
		badger.FailFlush(b)
		again <- closing.Load()
	}()
	for err == nil { // until it is known
		err = b.Update(t.Context(), func(tx index.Tx) error { return tx.Put([]byte("a"), nil) })
	}
	for range 1000 {
		if err := b.View(context.Background(), func(r index.Reader) error { return checkLoad(r, 10, 10, 1) }); err != nil {
			t.Fatal(err)
		}
	}
	closing.Store(true)
	if err := b.Close(); err == nil {
		t.Error("Close says nothing")
	}
	if !<-again {
		t.Error("Badger tries again while the index is open")
	}
}

// TestBadgerFlushNever fills a log when Badger can make no table. Close gives up, and leaves a few files.
func TestBadgerFlushNever(t *testing.T) {
	dir := t.TempDir()
	failed := make(chan struct{}, 100)
	b, err := badger.Open(t.Context(), dir, &badger.Options{Alarm: func(error) { failed <- struct{}{} }})
	if err != nil {
		t.Fatal(err)
	}
	const inTheWay = 40
	for id := range inTheWay { // Badger takes no file that is there
		name := filepath.Join(databaseOf(t, dir), fmt.Sprintf("%06d.sst", id+1))
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for n := 0; err == nil; n++ {
		err = putSome(t, b, n)
	}
	var broken *index.CommitError
	if !errors.As(err, &broken) {
		t.Errorf("Update: %v, want a CommitError", err)
	}
	if err := b.Close(); err == nil {
		t.Error("Close says nothing")
	}
	if attempts := len(failed); attempts > 5 {
		t.Errorf("Badger has tried %d times", attempts)
	}
}
