package index_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/indextest"
)

// A turner is a Turner in memory. Every batch runs twice: on an empty snapshot, then on what is
// stored.
type turner struct {
	index.Spy
	fail func(*index.Batch) error // before a turn, if it is not nil
}

func (t *turner) Turn(b *index.Batch) error {
	ctx := context.Background()
	nothing, _ := (&index.Spy{}).Snapshot(ctx) // of memory, which does not fail
	b.Run(nothing)
	if t.fail != nil {
		if err := t.fail(b); err != nil {
			return err
		}
	}
	now, _ := t.Snapshot(ctx)
	return t.Commit(b.Run(now))
}

func TestTurner(t *testing.T) {
	indextest.Run(t, func(*testing.T) index.Store { return index.NewShared(&turner{}) })
}

// TestTurnFails has turns fail. A *CommitError stops the store, any other error does not.
func TestTurnFails(t *testing.T) {
	refused := errors.New("the test refuses the turn")
	var next error
	s := index.NewShared(&turner{fail: func(*index.Batch) error { return next }})
	defer s.Close()
	put := func(tx index.Tx) error { return tx.Put([]byte("a"), nil) }
	for _, next = range []error{refused, nil, refused} {
		if err := s.Update(t.Context(), put); err != next {
			t.Errorf("Update: %v, want %v", err, next)
		}
	}
	if err := s.Failure(); err != nil {
		t.Errorf("Failure: %v", err)
	}
	next = &index.CommitError{Err: refused}
	for range 2 { // the second one without a turn
		if err := s.Update(t.Context(), put); err != next {
			t.Errorf("Update: %v, want %v", err, next)
		}
		if err := s.Failure(); err != next {
			t.Errorf("Failure: %v, want %v", err, next)
		}
	}
}

// TestLeave has the context of an update end between two runs. It does not run again, and the next
// update does not see it.
func TestLeave(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var left []bool
	s := index.NewShared(&turner{fail: func(b *index.Batch) error {
		left = append(left, b.Leave())
		return nil
	}})
	defer s.Close()
	err := s.Update(ctx, func(tx index.Tx) error {
		cancel()
		return tx.Put([]byte("a"), nil)
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Update with an ended context: %v, want Canceled", err)
	}
	err = s.Update(t.Context(), func(tx index.Tx) error {
		if _, err := tx.Get([]byte("a")); !errors.Is(err, index.ErrNotFound) {
			t.Errorf("Get of what was not stored: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Errorf("Update: %v", err)
	}
	if want := []bool{false, true}; !slices.Equal(left, want) {
		t.Errorf("updates were left: %v, want %v", left, want)
	}
}
