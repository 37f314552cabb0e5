package ledger

import (
	"context"
	"errors"
	"math"

	"github.com/gabion-storage/gabion/index"
)

// Limits of one transaction of a sweep. Others wait for it, but each costs a sync: many entries
// share one. A page of a manifest is swept whole, though.
const (
	sweepRecords = 4 * index.MaxPageChunks // records changed
	sweepEntries = 1024                    // entries looked at beforehand
)

// Swept is what a Sweep has done.
type Swept struct {
	Chunks  int64   // that are dead now
	Bytes   int64   // of these chunks, as stored
	Damaged []error // of each entry that was put aside, until Retry, or could not be read and is dropped
	More    bool    // there is more in the trash
}

// A sweep is one Sweep, or one SweepNoted, under way.
type sweep struct {
	*Trash
	through index.Store            // where it reads and writes
	waiting [][16]byte             // what is swept first of what waits
	tail    uint64                 // the number of the first entry of the queue that is left
	used    func(id [16]byte) bool // whether an entry has to wait
	done    Swept

	bytes    int64                 // stop after this many dead bytes
	progress func(context.Context) // called after each transaction
}

// enough says whether no other transaction need follow.
func (s *sweep) enough() bool { return s.done.Bytes >= s.bytes }

// queued is one entry of the queue, or of what waits.
type queued struct {
	index.Trash
	number  uint64 // in the queue
	lost    error  // why nobody knows what it is of
	used    bool
	waiting bool // in the table of what waits
}

// Sweep works off the trash until it is empty, or the chunks that have died have at least this many
// bytes. Each of its transactions takes a bounded bite and leaves the rest valid, so it can stop
// anywhere, and go on in another process. progress is called after each of them, with no lock held.
//
// With an error it says what it has done so far. One Sweep goes on at a time.
func (t *Trash) Sweep(
	ctx context.Context, bytes int64, progress func(context.Context),
) (Swept, error) {
	s := &sweep{
		Trash: t, through: t.index, waiting: t.popFreed(), tail: math.MaxUint64, used: t.inUse.want,
		bytes: bytes, progress: progress,
	}
	err := s.run(ctx)
	t.putBack(s.waiting)
	if len(s.waiting) > 0 && ctx.Err() != nil {
		// It was stopped. Where it has failed nobody is woken, who would only fail again at once.
		t.wake()
	}
	if err == nil && !s.done.More && t.Pending() {
		err = s.catchUp(ctx)
	}
	return s.done, err
}

func (s *sweep) run(ctx context.Context) error {
	for len(s.waiting) > 0 && !s.enough() {
		finished, err := s.waits(ctx, s.waiting[0])
		if err != nil {
			return err
		}
		if finished {
			s.waiting = s.waiting[1:]
			s.unswept.Add(-1)
		}
	}
	for !s.enough() {
		batch, err := s.next(ctx)
		if err != nil || len(batch) == 0 {
			return err
		}
		if err := s.batch(ctx, batch); err != nil {
			return err
		}
	}
	s.done.More = true
	return nil
}

// next returns the entries at the head of the queue. They are committed, so whoever can still open
// what they name uses it by now: see Use.
func (s *sweep) next(ctx context.Context) (batch []queued, err error) {
	err = s.through.View(ctx, func(r index.Reader) error {
		q := index.TrashQueue()
		ends, err := q.Ends(r)
		ends.Tail = min(ends.Tail, s.tail)
		if err != nil || ends.Head >= ends.Tail {
			return err
		}
		for entry, err := range index.ScanAll(r, q.Between(ends)) {
			item := queued{Trash: entry.Record}
			if index.IsCorrupt(err) && len(entry.Key) > 0 {
				item.lost, err = err, nil
			}
			if err != nil {
				return err
			}
			if item.number, err = q.ParseKey(entry.Key); err != nil {
				return err
			}
			if batch = append(batch, item); len(batch) == sweepEntries {
				break
			}
		}
		return nil
	})
	return batch, err
}

// catchUp finds out whether what was pushed is on its way or belonged to a transaction that failed.
// What is on its way is swept when it is there; for the other Pending would be true for good.
func (s *sweep) catchUp(ctx context.Context) error {
	var left level
	err := s.through.Update(ctx, func(tx index.Tx) (err error) {
		left, err = s.level(tx)
		return err
	})
	if err == nil {
		s.settle(left)
	}
	return err
}

// A level is how far a transaction found the trash worked off.
type level struct {
	pushed uint64 // before it: all of that is committed, or has failed
	empty  bool
}

func (s *sweep) level(tx index.Tx) (level, error) {
	pushed := s.pushed.Load()
	ends, err := index.TrashQueue().Ends(tx)
	return level{pushed, ends.Head == ends.Tail}, err
}

// settle notes the level of a transaction that is committed.
func (s *sweep) settle(l level) {
	if l.empty {
		s.swept.Store(l.pushed)
	}
}

// batch sweeps entries from the head of the queue, many in a transaction, until it is enough. One that
// is damaged does not keep the others from being swept: it is put aside.
func (s *sweep) batch(ctx context.Context, batch []queued) error {
	for i := range batch {
		batch[i].used = batch[i].lost == nil && s.used(batch[i].ID)
	}
	for most := len(batch); len(batch) > 0 && !s.enough(); {
		done, err := s.transaction(ctx, batch[:most])
		batch = batch[done:]
		switch {
		case err == nil:
			most = len(batch)
		case !isDamage(err):
			return err
		case most > 1:
			most = 1 // one by one, up to the damaged one
		default:
			s.done.Damaged = append(s.done.Damaged, err)
			s.putAside(batch[0].ID)
			batch[0].used = true // so that it is put where it waits
		}
		most = min(most, len(batch))
	}
	return nil
}

// transaction sweeps entries in one transaction, and says how many it has finished.
func (s *sweep) transaction(ctx context.Context, batch []queued) (done int, err error) {
	var b bite
	var left level
	err = s.through.Update(ctx, func(tx index.Tx) error {
		b, done = bite{left: sweepRecords}, 0
		for done < len(batch) && b.left > 0 {
			finished, err := b.entry(tx, batch[done])
			if err != nil {
				return err
			}
			if !finished {
				break
			}
			done++
		}
		if err := b.delta.Apply(tx); err != nil {
			return err
		}
		left, err = s.level(tx)
		return err
	})
	if err != nil {
		return 0, err
	}
	s.settle(left)
	if b.rest != nil {
		batch[done].Trash = *b.rest
	}
	for _, item := range batch[:done] {
		if item.lost != nil {
			s.done.Damaged = append(s.done.Damaged, item.lost)
		}
	}
	s.done.Chunks -= b.delta.totals.Chunks
	s.done.Bytes -= b.delta.totals.StoredBytes
	s.progress(ctx)
	return done, nil
}

// waits sweeps, in one transaction, what waits and nobody uses any more, and says whether it has
// finished.
func (s *sweep) waits(ctx context.Context, id [16]byte) (finished bool, err error) {
	item := queued{Trash: index.Trash{ID: id}, waiting: true}
	item.Trash, err = index.FetchOne(ctx, s.through, index.WaitingKey(id))
	if errors.Is(err, index.ErrNotFound) {
		return true, nil
	}
	done := 0
	if err == nil {
		done, err = s.transaction(ctx, []queued{item})
	}
	if err != nil && isDamage(err) {
		s.done.Damaged = append(s.done.Damaged, err)
		s.putAside(id)
		return true, nil
	}
	return done > 0, err
}

// isDamage says whether an error is of an entry rather than of the index as a whole.
func isDamage(err error) bool {
	var contradiction *CorruptionError
	return errors.As(err, &contradiction) || index.IsUnreadable(err)
}
