package index

import (
	"bytes"
	"iter"
	"sync/atomic"
)

// A view is a Reader with changes laid over another.
type view struct {
	base    Reader
	changes *node // nil in a View
	over    atomic.Bool
}

// Get implements Reader.
func (v *view) Get(key []byte) ([]byte, error) {
	if v.over.Load() {
		return nil, ErrTxDone
	}
	if err := checkKey(key); err != nil {
		return nil, err
	}
	switch e := v.changes.find(key); {
	case e == nil:
		return v.base.Get(key)
	case e.removed:
		return nil, ErrNotFound
	default:
		return cloned(e.value), nil
	}
}

// Latest says whether what a View shows is still the state after the last commit. So it is as if
// the View had begun only now. It may be false for a Reader of a store that cannot tell, and of an
// Update.
func Latest(r Reader) bool {
	v, ok := r.(*view)
	if !ok || v.over.Load() {
		return false
	}
	base, ok := v.base.(interface{ Latest() bool })
	return ok && base.Latest()
}

// TellsLatest reports whether the Views of s can tell cheaply that they show the latest commit, so
// that one View is better than two Gets. A store says so by a method of this name; one without the
// method cannot.
func TellsLatest(s Store) bool {
	t, ok := s.(interface{ TellsLatest() bool })
	return ok && t.TellsLatest()
}

// Scan implements Reader.
func (v *view) Scan(start, end []byte) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		if v.over.Load() {
			yield(Item{}, ErrTxDone)
			return
		}
		if end != nil && bytes.Compare(start, end) >= 0 {
			return
		}
		for item, err := range merge(v.changes.seek(start, end), v.base.Scan(start, end)) {
			if !yield(item, err) || err != nil {
				return
			}
			// Kept beyond its function by iter.Pull: the database may be gone, so it must not even
			// look for the next record.
			if v.over.Load() {
				yield(Item{}, ErrTxDone)
				return
			}
		}
	}
}

// merge lays changes over base, both in ascending order.
func merge(changes *cursor, base iter.Seq2[Item, error]) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		change := changes.next()
		// emit yields the changes up to bound, and says whether the one at bound replaces what base
		// has there.
		emit := func(bound []byte) (replaced, more bool) {
			for ; change != nil; change = changes.next() {
				order := -1
				if bound != nil {
					order = bytes.Compare(change.key, bound)
				}
				if order > 0 {
					break
				}
				replaced = order == 0
				if !change.removed && !yield(change.item(), nil) {
					return replaced, false
				}
			}
			return replaced, true
		}
		for item, err := range base {
			if err != nil {
				yield(Item{}, err)
				return
			}
			replaced, more := emit(item.Key)
			if !more || !replaced && !yield(item, nil) {
				return
			}
		}
		emit(nil)
	}
}

// A size is what counts against the limits of a transaction.
type size struct {
	bytes, records int
}

func (s size) fits() bool { return s.bytes <= MaxTxBytes && s.records <= MaxTxRecords }

// replace counts now in place of before, which is nil when there was nothing.
func (s *size) replace(before *entry, now entry) {
	s.bytes += now.cost()
	s.records++
	if before != nil {
		s.bytes -= before.cost()
		s.records--
	}
}

// A tx is the Tx of one update. Its changes are those of the group before it, with its own over
// them.
type tx struct {
	view
	writer     uint64
	own, total size  // of the own changes, of all changes
	err        error // the first write that failed: it fails the update, even when fn does not care
}

// Put implements Tx.
func (t *tx) Put(key, value []byte) error {
	return t.write(entry{key: cloned(key), value: cloned(value)})
}

// putOwn implements owner.
func (t *tx) putOwn(key, value []byte) error {
	return t.write(entry{key: cloned(key), value: value})
}

// Delete implements Tx.
func (t *tx) Delete(key []byte) error {
	return t.write(entry{key: cloned(key), removed: true})
}

func (t *tx) write(e entry) error {
	if t.over.Load() {
		return ErrTxDone
	}
	if t.err == nil {
		t.err = t.apply(e)
	}
	return t.err
}

func (t *tx) apply(e entry) error {
	if err := checkKey(e.key); err != nil {
		return err
	}
	if len(e.key) > MaxKeySize || len(e.value) > MaxValueSize {
		return ErrTooLarge
	}
	e.writer = t.writer
	before := t.changes.find(e.key)
	total, own := t.total, t.own
	total.replace(before, e)
	if before != nil && before.writer != t.writer {
		before = nil
	}
	own.replace(before, e)
	if !own.fits() {
		return ErrTooLarge
	}
	t.total, t.own, t.changes = total, own, t.changes.with(e)
	return nil
}

// ownChanges returns the changes without those of earlier updates.
func (t *tx) ownChanges() *node {
	var own *node
	all := t.changes.seek(nil, nil)
	for e := all.next(); e != nil; e = all.next() {
		if e.writer == t.writer {
			own = own.with(*e)
		}
	}
	return own
}

// checkKey refuses what no database takes: the empty key, and the names Badger keeps for itself.
func checkKey(key []byte) error {
	if len(key) == 0 || key[0] == '!' {
		return ErrInvalidKey
	}
	return nil
}

func (e *entry) cost() int { return len(e.key) + len(e.value) + RecordCost }

// item returns a copy for a caller.
func (e *entry) item() Item { return Item{Key: cloned(e.key), Value: cloned(e.value)} }

// Rehearse runs fn on what r shows, as a run of Update that is in vain: what it writes is dropped.
func Rehearse(r Reader, fn func(Tx) error) error {
	once := newRunner()
	defer once.close()
	return once.call(fn, &tx{view: view{base: r}})
}

// cloned returns a copy that is never nil, so that an empty value looks the same from every Store.
func cloned(b []byte) []byte { return append([]byte{}, b...) }
