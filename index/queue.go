package index

import (
	"encoding/binary"
	"errors"
	"math"
	"time"
)

// A Queue is a table of records in the order in which they were pushed. Its ends are kept in a
// record of their own, so that nobody looks for the oldest one among the marks that a database
// keeps of deleted ones: taking from a queue costs the same however much went through it before.
// Whoever pushes or pops does so in an Update; nobody writes its keys in another way.
type Queue[R any] struct{ table byte }

// TrashQueue is what waits to be reclaimed.
func TrashQueue() Queue[Trash] { return Queue[Trash]{trashTable} }

// AnswerQueue is the remembered answers, in the order in which they were given.
func AnswerQueue() Queue[Answer] { return Queue[Answer]{answerTable} }

// Key is the key of the record that was pushed as the one with this number.
func (q Queue[R]) Key(number uint64) Key[R] {
	return binary.BigEndian.AppendUint64(Key[R]{q.table}, number)
}

// ParseKey reverses Key.
func (q Queue[R]) ParseKey(k Key[R]) (number uint64, err error) {
	if len(k) != 1+8 || k[0] != q.table {
		return 0, badKey(k, "not a key of the queue")
	}
	return binary.BigEndian.Uint64(k[1:]), nil
}

// All is the whole table. Scanning it passes what the database keeps of deleted records.
func (q Queue[R]) All() Range[R] { return tableRange[R](q.table) }

// Ends returns the numbers of the oldest record and of the next one to be pushed; a queue is empty
// when they are equal.
func (q Queue[R]) Ends(r Reader) (Ends, error) { return endsOf(r, q.table) }

// Between is the range of the records with these numbers.
func (q Queue[R]) Between(e Ends) Range[R] {
	return Range[R]{q.Key(e.Head), q.Key(e.Tail)}
}

// Push appends a record, and returns the ends of the queue afterwards.
func Push[R any, P record[R]](tx Tx, q Queue[R], rec *R) (Ends, error) {
	e, err := q.Ends(tx)
	if err != nil {
		return e, err
	}
	if err := Put[R, P](tx, q.Key(e.Tail), rec); err != nil {
		return e, err
	}
	e.Tail++
	return e, Put(tx, endsKey(q.table), &e)
}

// Oldest returns the record at the head, or ErrNotFound if the queue is empty.
func Oldest[R any, P record[R]](r Reader, q Queue[R]) (R, error) {
	e, err := q.Ends(r)
	if err == nil && e.Head == e.Tail {
		err = ErrNotFound
	}
	if err != nil {
		var none R
		return none, err
	}
	return Get[R, P](r, q.Key(e.Head))
}

// Pop deletes the record at the head; the queue must not be empty.
func Pop[R any](tx Tx, q Queue[R]) error {
	e, err := q.Ends(tx)
	if err != nil {
		return err
	}
	if e.Head >= e.Tail {
		return ErrNotFound
	}
	if err := Delete(tx, q.Key(e.Head)); err != nil {
		return err
	}
	e.Head++
	return Put(tx, endsKey(q.table), &e)
}

// Ends are the numbers between which the records of a queue are: Head is the oldest, Tail the next
// one to be pushed.
type Ends struct {
	Head, Tail uint64
}

func (*Ends) version() byte { return 1 }

func (n *Ends) encode(e *encoder) {
	e.uint(n.Head)
	e.uint(n.Tail)
}

func (n *Ends) decode(d *decoder, _ byte) {
	n.Head = d.uint(math.MaxUint64)
	n.Tail = d.uint(math.MaxUint64)
}

func endsKey(table byte) Key[Ends] { return Key[Ends]{endsTable, table} }

func endsOf(r Reader, table byte) (Ends, error) {
	e, err := Get(r, endsKey(table))
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return e, err
}

// The table of idle uploads is ordered by time instead of by number: an upload stands in it under a
// time at which it was last known to be used. It is walked from its oldest time on, up to which
// nothing can be, and what is walked leaves the table.

// IdleKey is the key of an upload that was last known to be used at this time.
func IdleKey(used time.Time, upload ContentID) Key[Idle] {
	return append(binary.BigEndian.AppendUint64(Key[Idle]{idleTable}, sortable(used)), upload[:]...)
}

// ParseIdleKey reverses IdleKey.
func ParseIdleKey(k Key[Idle]) (used time.Time, upload ContentID, err error) {
	if len(k) != 1+8+len(upload) || k[0] != idleTable {
		return used, upload, badKey(k, "not an idle key")
	}
	return unsortable(binary.BigEndian.Uint64(k[1:])), ContentID(k[9:]), nil
}

// AllIdle is the whole table of idle uploads, by time.
func AllIdle() Range[Idle] { return tableRange[Idle](idleTable) }

// PutIdle puts an upload into the table of idle uploads.
func PutIdle(tx Tx, used time.Time, upload ContentID, rec *Idle) error {
	key := endsKey(idleTable)
	e, err := endsOf(tx, idleTable)
	if err != nil {
		return err
	}
	if at := sortable(used); at < e.Head { // the clock was set back
		e.Head = at
		if err := Put(tx, key, &e); err != nil {
			return err
		}
	}
	return Put(tx, IdleKey(used, upload), rec)
}

// IdleBefore is the range of the uploads that were last known to be used before a time.
func IdleBefore(r Reader, before time.Time) (Range[Idle], error) {
	e, err := endsOf(r, idleTable)
	return Range[Idle]{IdleKey(unsortable(e.Head), ContentID{}), IdleKey(before, ContentID{})}, err
}

// IdleWalked says that nothing is left in the table from before a time. Later walks begin there.
func IdleWalked(tx Tx, before time.Time) error {
	e, err := endsOf(tx, idleTable)
	if at := sortable(before); err == nil && at > e.Head {
		e.Head = at
		err = Put(tx, endsKey(idleTable), &e)
	}
	return err
}

// sortable makes numbers of times that sort as they do. Times that have no unix nanoseconds become
// the first or the last one.
func sortable(t time.Time) uint64 {
	first, last := time.Unix(0, zeroTime), time.Unix(0, 1<<63-1)
	switch {
	case t.Before(first):
		t = first
	case t.After(last):
		t = last
	}
	return uint64(t.UnixNano()) ^ 1<<63
}

// unsortable reverses sortable.
func unsortable(n uint64) time.Time { return time.Unix(0, int64(n^1<<63)).UTC() }
