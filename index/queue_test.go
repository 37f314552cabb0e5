package index_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/index"
)

// TestQueue pushes and pops in several transactions and compares with a slice.
func TestQueue(t *testing.T) {
	store := index.NewMemory()
	defer store.Close()
	q := index.AnswerQueue()
	var want []byte
	next := byte(0)
	for range 50 {
		err := store.Update(t.Context(), func(tx index.Tx) error {
			for range 3 {
				next++
				ends, err := index.Push(tx, q, &index.Answer{Upload: index.ContentID{next}})
				if err != nil {
					return err
				}
				if want = append(want, next); ends.Tail-ends.Head != uint64(len(want)) {
					t.Errorf("the ends are %+v of %d records", ends, len(want))
				}
			}
			for range 2 {
				first, err := index.Oldest(tx, q)
				if err != nil || first.Upload[0] != want[0] {
					t.Errorf("the oldest is %d, %v; want %d", first.Upload[0], err, want[0])
				}
				want = want[1:]
				if err := index.Pop(tx, q); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	err := store.Update(t.Context(), func(tx index.Tx) error {
		ends, err := q.Ends(tx)
		if err != nil {
			return err
		}
		var got []byte
		for entry, err := range index.Scan(tx, q.Between(ends)) {
			if err != nil {
				return err
			}
			got = append(got, entry.Record.Upload[0])
		}
		if !slices.Equal(got, want) {
			t.Errorf("the queue is %v, want %v", got, want)
		}
		for range want {
			if err := index.Pop(tx, q); err != nil {
				return err
			}
		}
		if _, err := index.Oldest(tx, q); !errors.Is(err, index.ErrNotFound) {
			t.Errorf("the oldest of an empty queue: %v", err)
		}
		if err := index.Pop(tx, q); !errors.Is(err, index.ErrNotFound) {
			t.Errorf("Pop of an empty queue: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestIdleOrder: a walk begins where the last one has ended, or at what was put before that since.
func TestIdleOrder(t *testing.T) {
	store := index.NewMemory()
	defer store.Close()
	at := func(sec int64) time.Time { return time.Unix(sec, 0).UTC() }
	err := store.Update(t.Context(), func(tx index.Tx) error {
		walk := func(before int64) (got []int64) {
			t.Helper()
			rg, err := index.IdleBefore(tx, at(before))
			if err != nil {
				t.Error(err)
			}
			for entry, err := range index.Scan(tx, rg) {
				if err != nil {
					t.Error(err)
					break
				}
				used, _, err := index.ParseIdleKey(entry.Key)
				if err != nil {
					t.Error(err)
				}
				got = append(got, used.Unix())
			}
			return got
		}
		for _, sec := range []int64{5, -3, 100, 0} {
			if err := index.PutIdle(tx, at(sec), index.ContentID{1}, &index.Idle{Bucket: "b", Key: "k"}); err != nil {
				return err
			}
		}
		if got := walk(50); !slices.Equal(got, []int64{-3, 0, 5}) {
			t.Errorf("before 50: %v", got)
		}
		if err := index.IdleWalked(tx, at(5)); err != nil {
			return err
		}
		if got := walk(50); !slices.Equal(got, []int64{5}) {
			t.Errorf("before 50, behind 5: %v", got)
		}
		err := index.PutIdle(tx, at(2), index.ContentID{1}, &index.Idle{})
		if got := walk(101); !slices.Equal(got, []int64{2, 5, 100}) {
			t.Errorf("all from 2: %v", got)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
