package index_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/indextest"
)

func TestMemory(t *testing.T) {
	indextest.Run(t, func(*testing.T) index.Store { return index.NewMemory() })
}

// TestRehearsed has the suite itself run its updates twice.
func TestRehearsed(t *testing.T) {
	indextest.Run(t, func(*testing.T) index.Store { return indextest.Rehearsed(index.NewMemory()) })
}

// TestGroups holds one update until others are queued: all of them have to be one commit.
func TestGroups(t *testing.T) {
	spy := &index.Spy{}
	s := index.NewSerial(spy)
	defer s.Close()
	const queued = 40
	var group sync.WaitGroup
	update := func(fn func(index.Tx) error) {
		group.Go(func() {
			if err := s.Update(t.Context(), fn); err != nil {
				t.Errorf("Update: %v", err)
			}
		})
	}
	started, gate := make(chan struct{}), make(chan struct{})
	update(func(tx index.Tx) error {
		close(started)
		<-gate
		return tx.Put([]byte("first"), nil)
	})
	<-started
	for i := range queued {
		update(func(tx index.Tx) error { return tx.Put([]byte{0, byte(i)}, nil) })
	}
	for index.Queued(s) < queued {
		time.Sleep(time.Millisecond)
	}
	close(gate)
	group.Wait()
	if got := spy.Commits.Load(); got != 1 {
		t.Errorf("%d commits for %d updates that waited together, want 1", got, queued+1)
	}
	if err := s.Update(t.Context(), func(index.Tx) error { return nil }); err != nil || spy.Commits.Load() != 1 {
		t.Errorf("an update without writes: %v, %d commits", err, spy.Commits.Load())
	}
}

func TestFailedCommit(t *testing.T) {
	spy := &index.Spy{}
	s := index.NewSerial(spy)
	defer s.Close()
	stored := func(tx index.Tx) error { return tx.Put([]byte("a"), []byte("stored")) }
	if err := s.Update(t.Context(), stored); err != nil {
		t.Fatal(err)
	}
	cause := errors.New("the test fails the commit")
	if err := s.Failure(); err != nil {
		t.Errorf("before any commit has failed: %v", err)
	}
	spy.Fail.Store(&cause)
	put := func(tx index.Tx) error { return tx.Put([]byte("a"), []byte("lost")) }
	var commit *index.CommitError
	if err := s.Update(t.Context(), put); !errors.As(err, &commit) || !errors.Is(err, cause) {
		t.Errorf("the failed commit: %v", err)
	}
	if err := s.Failure(); !errors.As(err, &commit) || !errors.Is(err, cause) {
		t.Errorf("Failure after a failed commit: %v", err)
	}
	spy.Fail.Store(nil)
	err := s.Update(t.Context(), func(index.Tx) error { t.Error("an update runs after a failed commit"); return nil })
	if !errors.As(err, &commit) || !errors.Is(err, cause) {
		t.Errorf("an update after a failed commit: %v", err)
	}
	err = s.View(t.Context(), func(r index.Reader) error {
		value, err := r.Get([]byte("a"))
		if string(value) != "stored" {
			t.Errorf("after a failed commit %q is read", value)
		}
		return err
	})
	if err != nil {
		t.Errorf("reads after a failed commit: %v", err)
	}
}

// TestStillOpen has a Backend that cannot close yet, twice. Nothing is let in meanwhile, and what
// fails to close otherwise is closed.
func TestStillOpen(t *testing.T) {
	full := fmt.Errorf("%w: %w", index.ErrStillOpen, index.ErrNoSpace)
	broken := errors.New("it broke")
	for _, last := range []error{nil, broken} {
		s := index.NewSerial(&index.Spy{Closes: []error{full, full, last}})
		for range 2 {
			if err := s.Close(); !errors.Is(err, index.ErrStillOpen) || !errors.Is(err, index.ErrNoSpace) {
				t.Errorf("Close: %v, want ErrStillOpen", err)
			}
			if err := s.Update(t.Context(), func(index.Tx) error { return nil }); !errors.Is(err, index.ErrClosed) {
				t.Errorf("Update after a Close that is to be called again: %v", err)
			}
		}
		if err := s.Close(); !errors.Is(err, last) {
			t.Errorf("the third Close: %v, want %v", err, last)
		}
		if err := s.Close(); !errors.Is(err, index.ErrClosed) {
			t.Errorf("the fourth Close: %v, want ErrClosed", err)
		}
	}
}
