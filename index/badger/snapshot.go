package badger

import (
	"bytes"
	"errors"
	"iter"

	"github.com/dgraph-io/badger/v4"

	"github.com/gabion-storage/gabion/index"
)

// A snapshot shows the commit at a timestamp of a generation, which is there until Release. Every
// Scan is a Badger transaction of its own: for a reader that is only a timestamp, and so a Scan
// that its caller never ends leaves nothing behind that could keep the snapshot from being
// released.
type snapshot struct {
	db     *database
	gen    *generation
	at     uint64
	reads  *badger.Txn // for Get, which is called hundreds of times by an update; nil before the first
	recent *recent     // nil for who wants to know what is on the disk
}

// Get implements index.Reader.
func (s *snapshot) Get(key []byte) (value []byte, err error) {
	if s.recent == nil {
		return s.stored(key)
	}
	spot, mark := s.recent.spot(key)
	value, had := spot.get(key, s.at)
	if value != nil {
		return value, nil
	}
	if value, err = s.stored(key); err == nil {
		spot.offer(key, value, mark, s.at, had)
	}
	return value, err
}

// stored is Get from Badger.
func (s *snapshot) stored(key []byte) (value []byte, err error) {
	defer recovered(&err)
	if s.reads == nil {
		s.reads = s.gen.db.NewTransactionAt(s.at, false)
	}
	item, err := s.reads.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, index.ErrNotFound
	}
	if err != nil {
		return nil, mapError("get", err)
	}
	err = item.Value(func(b []byte) error {
		value = b // the item's own, which nobody else has
		return nil
	})
	if err != nil {
		return nil, mapError("read value", err)
	}
	if value == nil { // an empty one
		value = []byte{}
	}
	return value, nil
}

// Scan implements index.Reader.
func (s *snapshot) Scan(start, end []byte) iter.Seq2[index.Item, error] {
	return func(yield func(index.Item, error) bool) {
		it, stop, err := s.iterator(badger.IteratorOptions{Prefix: commonPrefix(start, end)})
		if err != nil {
			yield(index.Item{}, err)
			return
		}
		defer stop()
		steps := versionSteps{it: it}
		defer func() { s.db.steps.Add(steps.taken) }()
		for it.Seek(start); it.Valid(); steps.next() {
			item := it.Item()
			if end != nil && bytes.Compare(item.Key(), end) >= 0 {
				return
			}
			if !steps.newest(item) || item.IsDeletedOrExpired() {
				continue
			}
			value, err := valueOf(item)
			if err != nil {
				yield(index.Item{}, err)
				return
			}
			if !yield(index.Item{Key: item.KeyCopy(nil), Value: value}, nil) {
				return
			}
		}
	}
}

// versionSteps walks an iterator over all versions, of which the newest of a key comes first.
// Behind a few more of one key it looks for the next key instead: records that every commit writes,
// as the totals are, have thousands.
type versionSteps struct {
	it    *badger.Iterator
	last  []byte // the key that the iterator came to last
	older int    // versions of it that were passed
	taken int64
}

// manyVersions is about what it costs to look for a key.
const manyVersions = 16

// newest reports whether the item is the first of its key.
func (v *versionSteps) newest(item *badger.Item) bool {
	if v.last != nil && bytes.Equal(item.Key(), v.last) {
		v.older++
		return false
	}
	v.last, v.older = append(v.last[:0], item.Key()...), 0
	return true
}

func (v *versionSteps) next() {
	v.taken++
	if v.older < manyVersions {
		v.it.Next()
		return
	}
	v.older = 0
	v.it.Seek(append(v.last, 0))
}

// versions calls fn with every version after since, up to the snapshot's own, in the order of the
// keys, newest first. Tables that have nothing so new are not looked into.
func (s *snapshot) versions(since uint64, fn func(*badger.Item) error) error {
	it, stop, err := s.iterator(badger.IteratorOptions{SinceTs: since})
	if err != nil {
		return err
	}
	defer stop()
	for it.Rewind(); it.Valid(); it.Next() {
		if err := fn(it.Item()); err != nil {
			return err
		}
	}
	return nil
}

// iterator returns an iterator over all versions, and what ends it. Badger reads two records ahead,
// so it is given the prefix that the keys have. After a failed commit Badger may be without a
// memtable, and panics here; then there is nothing that could be ended.
func (s *snapshot) iterator(
	opts badger.IteratorOptions,
) (it *badger.Iterator, stop func(), err error) {
	defer recovered(&err)
	opts.AllVersions = true
	txn := s.gen.db.NewTransactionAt(s.at, false)
	it = txn.NewIterator(opts)
	return it, func() { it.Close(); txn.Discard() }, nil
}

// commonPrefix returns what all keys with start <= key < end begin with; a nil end is no bound.
func commonPrefix(start, end []byte) []byte {
	k := 0
	for k < len(start) && k < len(end) && start[k] == end[k] {
		k++
	}
	// An end that is the start counted up by one lets the byte that was counted up only be the
	// start's.
	if k < len(start) && k == len(end)-1 && start[k]+1 == end[k] {
		k++
	}
	return start[:k]
}

// Latest says whether no commit has come since; see index.Latest.
func (s *snapshot) Latest() bool { return s.at == s.db.last() }

// Release implements index.Snapshot.
func (s *snapshot) Release() {
	s.db.release(s.gen)
}

// valueOf copies a value, which lives in a memory map.
func valueOf(item *badger.Item) (value []byte, err error) {
	err = item.Value(func(b []byte) error {
		value = append([]byte{}, b...) // never nil
		return nil
	})
	return value, mapError("read value", err)
}
