package badger

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"runtime/debug"

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
	defer s.gen.guard(debug.SetPanicOnFault(true), &err)
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
	return s.gen.valueOf(item, func(b []byte) []byte { return b }) // the item's own, which nobody else has
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
		c := scan{gen: s.gen, steps: versionSteps{it: it}, end: end}
		defer func() { s.db.steps.Add(c.steps.taken) }()
		more, err := c.seek(start)
		for ; more; more, err = c.next() {
			if !yield(c.item, nil) {
				return
			}
		}
		if err != nil {
			yield(index.Item{}, err)
		}
	}
}

// A scan is a Scan under way. Each step of it is guarded, and what the caller does between is not.
type scan struct {
	gen   *generation
	steps versionSteps
	end   []byte
	item  index.Item // that it came to
}

func (c *scan) seek(start []byte) (more bool, err error) {
	defer c.gen.guard(debug.SetPanicOnFault(true), &err)
	c.steps.it.Seek(start)
	return c.find()
}

func (c *scan) next() (more bool, err error) {
	defer c.gen.guard(debug.SetPanicOnFault(true), &err)
	c.steps.next()
	return c.find()
}

// find goes on to the next record that lives, if the iterator is not at one.
func (c *scan) find() (more bool, err error) {
	for ; c.steps.it.Valid(); c.steps.next() {
		item := c.steps.it.Item()
		if c.end != nil && bytes.Compare(item.Key(), c.end) >= 0 {
			return false, nil
		}
		if !c.steps.newest(item) || item.IsDeletedOrExpired() {
			continue
		}
		value, err := c.gen.valueOf(item, bytes.Clone)
		c.item = index.Item{Key: item.KeyCopy(nil), Value: value}
		return err == nil, err
	}
	return false, nil
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
	step := func(take func()) (valid bool, err error) {
		defer s.gen.guard(debug.SetPanicOnFault(true), &err)
		take()
		return it.Valid(), nil
	}
	more, err := step(it.Rewind)
	for ; more; more, err = step(it.Next) {
		if err := fn(it.Item()); err != nil {
			return err
		}
	}
	return err
}

// iterator returns an iterator over all versions, and what ends it. Badger reads two records ahead,
// so it is given the prefix that the keys have. After a failed commit Badger may be without a
// memtable, and panics here; then there is nothing that could be ended.
func (s *snapshot) iterator(
	opts badger.IteratorOptions,
) (it *badger.Iterator, stop func(), err error) {
	defer s.gen.guard(debug.SetPanicOnFault(true), &err)
	opts.AllVersions = true
	txn := s.gen.db.NewTransactionAt(s.at, false)
	it = txn.NewIterator(opts)
	return it, func() {
		var err error // which one of the steps has had before
		defer s.gen.guard(debug.SetPanicOnFault(true), &err)
		defer txn.Discard()
		it.Close()
	}, nil
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
	s.db.letGo(s.gen)
}

// valueOf returns a value, of which take makes what may be kept. What is none in the table, but is said to
// be in the value log, Badger reads as nothing.
func (g *generation) valueOf(item *badger.Item, take func([]byte) []byte) (value []byte, err error) {
	err = item.Value(func(b []byte) error {
		value = take(b)
		return nil
	})
	if err == nil && int64(len(value)) != item.ValueSize() {
		err = &index.CorruptionError{Where: g.dir.Path(), Reason: fmt.Sprintf("the value of key %x is not there", item.Key())}
	}
	if err != nil {
		return nil, mapError("read value", err)
	}
	if value == nil {
		value = []byte{} // an empty one
	}
	return value, nil
}
