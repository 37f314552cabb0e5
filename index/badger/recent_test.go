package badger_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/badger"
)

// Values that are kept from reads are those of each reader's own snapshot, however old that is and
// whatever was committed since, also where many keys have to share a place.
func TestRecentAndOldSnapshots(t *testing.T) {
	for _, spots := range []int{1, 3, 1024} {
		t.Run(strconv.Itoa(spots), func(t *testing.T) {
			s := open(t, t.TempDir())
			badger.SetRecent(s, spots)
			w := recentWorld{store: s, rand: rand.New(rand.NewPCG(1, uint64(spots))), now: map[string]string{}}
			for range 8 {
				w.nest(t, 6)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

type recentWorld struct {
	store *badger.Store
	rand  *rand.Rand
	now   map[string]string
	count int
}

func (w *recentWorld) key() string { return fmt.Sprint("key", w.rand.IntN(12)) }

// nest commits while Views that began before are under way.
func (w *recentWorld) nest(t *testing.T, depth int) {
	if depth == 0 {
		return
	}
	err := w.store.View(t.Context(), func(r index.Reader) error {
		seen := maps.Clone(w.now)
		for range 3 {
			w.check(t, r, seen)
			w.change(t)
			w.check(t, r, seen)
		}
		if index.Latest(r) {
			t.Error("a View is the latest after commits")
		}
		w.nest(t, depth-1)
		w.check(t, r, seen)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// check reads some keys, each often enough to be kept.
func (w *recentWorld) check(t *testing.T, r index.Reader, want map[string]string) {
	for range 6 {
		key := w.key()
		for range 3 {
			got, err := r.Get([]byte(key))
			wanted, there := want[key]
			switch {
			case there && err != nil || !there && !errors.Is(err, index.ErrNotFound):
				t.Fatalf("Get %s: %q, %v; there: %t", key, got, err, there)
			case there && string(got) != wanted:
				t.Fatalf("Get %s: %q, want %q", key, got, wanted)
			}
			clear(got) // it is the caller's
		}
	}
}

// change commits a few changes.
func (w *recentWorld) change(t *testing.T) {
	next := maps.Clone(w.now)
	err := w.store.Update(t.Context(), func(tx index.Tx) error {
		for range 1 + w.rand.IntN(4) {
			w.count++
			key, value := w.key(), fmt.Sprint("value", w.count)
			if w.rand.IntN(4) == 0 {
				delete(next, key)
				if err := tx.Delete([]byte(key)); err != nil {
					return err
				}
				continue
			}
			if w.rand.IntN(4) == 0 {
				value += fmt.Sprintf("%2000d", 0) // more than is kept
			}
			next[key] = value
			if err := tx.Put([]byte(key), []byte(value)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	w.now = next
}

// Beside commits, readers see what was there when they began, of all keys of a commit the same, and
// nothing that was over before that.
func TestRecentBesideCommits(t *testing.T) {
	s := open(t, t.TempDir())
	badger.SetRecent(s, 2)
	const keys, commits = 4, 300
	put := func(n int) error {
		return s.Update(t.Context(), func(tx index.Tx) error {
			for k := range keys {
				if err := tx.Put(loadKey(k), []byte(strconv.Itoa(n))); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := put(0); err != nil {
		t.Fatal(err)
	}
	var committed atomic.Int64
	var over atomic.Bool
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for !over.Load() {
				least := committed.Load()
				err := s.View(t.Context(), func(r index.Reader) error {
					first := -1
					for k := range keys * 3 {
						value, err := r.Get(loadKey(k % keys))
						if err != nil {
							return err
						}
						n, err := strconv.Atoi(string(value))
						if first < 0 {
							first = n
						}
						if err != nil || n != first || int64(n) < least {
							return fmt.Errorf("read %q after %d, and after commit %d", value, first, least)
						}
					}
					return nil
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for n := range commits {
		if err := put(n + 1); err != nil {
			t.Error(err)
			break
		}
		committed.Store(int64(n + 1))
	}
	over.Store(true)
	readers.Wait()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A View that nothing was committed since is as good as one that begins now.
func TestLatest(t *testing.T) {
	s := open(t, t.TempDir())
	defer s.Close()
	var kept index.Reader
	err := s.View(t.Context(), func(r index.Reader) error {
		kept = r
		if !index.Latest(r) {
			t.Error("a View without a commit since is not the latest")
		}
		load(t, s, 1, 1, 1)
		if index.Latest(r) {
			t.Error("a View is the latest after a commit")
		}
		return nil
	})
	if err != nil || index.Latest(kept) {
		t.Errorf("View: %v; is it the latest when it is over: %t", err, index.Latest(kept))
	}
	err = s.Update(t.Context(), func(tx index.Tx) error {
		if index.Latest(tx) {
			t.Error("an Update is no View")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
