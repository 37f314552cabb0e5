package index

import (
	"bytes"
	"errors"
	"iter"
	"sync"

	"github.com/dgraph-io/badger/v4"
)

// snapshots knows the last commit and the commits that open snapshots show. Badger's compaction drops the versions that a newer
// one hides from everything after the discard timestamp, so that must never pass the oldest open snapshot: a version dropped
// under a reader would be silently missing or wrong.
type snapshots struct {
	setDiscard func(uint64)

	mu      sync.Mutex // guards the fields below, and that setDiscard is called with what they say
	newest  uint64     // the last durable commit
	readers map[uint64]int
}

// start begins with what is on disk, all of which is committed.
func (s *snapshots) start(newest uint64, setDiscard func(uint64)) {
	s.newest, s.setDiscard, s.readers = newest, setDiscard, make(map[uint64]int)
	s.discardLocked()
}

func (s *snapshots) last() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newest
}

// committed makes a durable commit the one that new snapshots show.
func (s *snapshots) committed(at uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.newest = at
	s.discardLocked()
}

func (s *snapshots) open() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readers[s.newest]++
	return s.newest
}

func (s *snapshots) release(at uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readers[at]--; s.readers[at] == 0 {
		delete(s.readers, at)
		s.discardLocked()
	}
}

func (s *snapshots) discardLocked() {
	oldest := s.newest
	for at := range s.readers {
		oldest = min(oldest, at)
	}
	s.setDiscard(oldest)
}

// A badgerSnapshot shows the commit at a timestamp. Every Scan is a Badger transaction of its own: for a reader that is only a
// timestamp, and so a Scan that its caller never ends leaves nothing behind that could keep the snapshot from being released.
type badgerSnapshot struct {
	db   *database
	at   uint64
	gets *badger.Txn // one for all, because an update makes hundreds; nil before the first
}

func (s *badgerSnapshot) get(key []byte) (value []byte, err error) {
	defer recovered(&err)
	if s.gets == nil {
		s.gets = s.db.db.NewTransactionAt(s.at, false)
	}
	item, err := s.gets.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, mapError("get", err)
	}
	return valueOf(item)
}

func (s *badgerSnapshot) scan(start, end []byte) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		it, stop, err := s.iterator(commonPrefix(start, end))
		if err != nil {
			yield(Item{}, err)
			return
		}
		defer stop()
		for it.Seek(start); it.Valid(); it.Next() {
			item := it.Item()
			if end != nil && bytes.Compare(item.Key(), end) >= 0 {
				return
			}
			value, err := valueOf(item)
			if err != nil {
				yield(Item{}, err)
				return
			}
			if !yield(Item{Key: item.KeyCopy(nil), Value: value}, nil) {
				return
			}
		}
	}
}

// iterator returns an iterator over the keys with a prefix, and what ends it. Badger reads two records ahead, and passes every old
// version of a record to get behind it. Without the prefix a short scan that ends before a record which every commit writes, as the
// totals are, would cost thousands of steps. After a failed commit Badger may be without a memtable, and panics here; then there is
// nothing that could be ended.
func (s *badgerSnapshot) iterator(prefix []byte) (it *badger.Iterator, stop func(), err error) {
	defer recovered(&err)
	txn := s.db.db.NewTransactionAt(s.at, false)
	it = txn.NewIterator(badger.IteratorOptions{Prefix: prefix})
	return it, func() { it.Close(); txn.Discard() }, nil
}

// commonPrefix returns what all keys with start <= key < end begin with; a nil end is no bound.
func commonPrefix(start, end []byte) []byte {
	k := 0
	for k < len(start) && k < len(end) && start[k] == end[k] {
		k++
	}
	// An end that is the start counted up by one lets the byte that was counted up only be the start's.
	if k < len(start) && k == len(end)-1 && start[k]+1 == end[k] {
		k++
	}
	return start[:k]
}

func (s *badgerSnapshot) release() {
	if s.gets != nil {
		s.gets.Discard()
	}
	s.db.snapshots.release(s.at)
}

// valueOf copies a value, which lives in a memory map.
func valueOf(item *badger.Item) (value []byte, err error) {
	err = item.Value(func(b []byte) error {
		value = cloned(b)
		return nil
	})
	return value, mapError("read value", err)
}
