package engine

import (
	"context"
	"errors"

	"github.com/gabion-storage/gabion/index"
)

// Limits of one transaction of the sweeper. Others wait for it, but each costs a sync: many entries
// share one. A page of a manifest is swept whole, though.
const (
	sweepRecords = 4 * index.MaxPageChunks // records changed
	sweepEntries = 1024                    // entries looked at beforehand
)

// A sweep works off the trash.
type sweep struct {
	*sweeper
	freed ReclaimResult
	errs  []error
}

// queued is one entry of the trash queue, or of what waits.
type queued struct {
	index.Trash
	held    bool
	waiting bool // in the table of what waits
}

// run sweeps until the trash is empty or the chunks freed have at least this many bytes. It says
// whether there is more.
func (s *sweep) run(ctx context.Context, bytes int64) (more bool, err error) {
	for ids := s.takeFreed(); len(ids) > 0; ids = ids[1:] {
		if err := s.released(ctx, ids[0]); err != nil {
			s.free(ids...) // for the next time
			return false, err
		}
	}
	start := s.freed.Bytes
	for s.freed.Bytes-start < bytes {
		batch, err := s.next(ctx)
		if err != nil || len(batch) == 0 {
			return false, err
		}
		if err := s.batch(ctx, batch); err != nil {
			return false, err
		}
		s.engine.throttle.GoesOn(ctx)
	}
	return true, nil
}

// next returns the entries at the head of the queue. They are committed, so whoever can still open
// what they name holds it by now: see holdObject.
func (s *sweep) next(ctx context.Context) (batch []queued, err error) {
	pushed := s.pushed.Load()
	var ends index.Ends
	err = s.engine.index.View(ctx, func(r index.Reader) error {
		q := index.TrashQueue()
		if ends, err = q.Ends(r); err != nil || ends.Head == ends.Tail {
			return err
		}
		for entry, err := range index.Scan(r, q.Between(ends)) {
			if err != nil {
				return err
			}
			if batch = append(batch, queued{Trash: entry.Record}); len(batch) == sweepEntries {
				break
			}
		}
		return nil
	})
	if err != nil || len(batch) > 0 {
		return batch, err
	}
	s.swept.Store(ends.Tail)
	if pushed > ends.Tail {
		err = s.settlePushed(ctx, pushed)
	}
	return nil, err
}

// settlePushed finds out whether what was pushed is on its way or belonged to a transaction that
// failed. What is on its way wakes the sweeper when it is there; the other would wake it again and
// again.
func (s *sweep) settlePushed(ctx context.Context, pushed uint64) error {
	return s.engine.index.Update(ctx, func(tx index.Tx) error {
		ends, err := index.TrashQueue().Ends(tx)
		if err == nil {
			s.pushed.CompareAndSwap(pushed, ends.Tail)
		}
		return err
	})
}

// batch sweeps entries from the head of the queue, many in a transaction. One that is damaged does
// not keep the others from being swept: it is put aside, for the next call of Reclaim, or a later
// try.
func (s *sweep) batch(ctx context.Context, batch []queued) error {
	for i := range batch {
		batch[i].held = s.engine.inUse.want(batch[i].ID)
	}
	for most := len(batch); len(batch) > 0; {
		done, err := s.transaction(ctx, batch[:most])
		batch = batch[done:]
		switch {
		case err == nil:
			most = len(batch)
		case !damaged(err):
			return err
		case most > 1:
			most = 1 // one by one, up to the damaged one
		default:
			s.errs = append(s.errs, err)
			s.putAside(batch[0].ID)
			batch[0].held = true
		}
		most = min(most, len(batch))
	}
	return nil
}

// transaction sweeps entries in one transaction, and says how many it has finished.
func (s *sweep) transaction(ctx context.Context, batch []queued) (done int, err error) {
	b := bite{left: sweepRecords}
	err = s.engine.index.Update(ctx, func(tx index.Tx) error {
		for done < len(batch) && b.left > 0 {
			finished, err := b.take(tx, batch[done])
			if err != nil {
				return err
			}
			if !finished {
				break
			}
			done++
		}
		return b.delta.apply(tx)
	})
	if err != nil {
		return 0, err
	}
	if b.rest != nil {
		batch[done].Trash = *b.rest
	}
	s.freed.Chunks -= b.delta.totals.Chunks
	s.freed.Bytes -= b.delta.totals.StoredBytes
	return done, nil
}

// released sweeps what was held until now.
func (s *sweep) released(ctx context.Context, id [16]byte) error {
	for {
		item := queued{Trash: index.Trash{ID: id}, waiting: true}
		err := s.engine.index.View(ctx, func(r index.Reader) (err error) {
			item.Trash, err = index.Get(r, index.WaitingKey(id))
			return err
		})
		if errors.Is(err, index.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		done, err := s.transaction(ctx, []queued{item})
		switch {
		case err != nil && damaged(err):
			s.errs = append(s.errs, err)
			s.putAside(id)
			return nil
		case err != nil || done > 0:
			return err
		}
	}
}

// damaged says whether an error is of an entry rather than of the index as a whole.
func damaged(err error) bool {
	var ours *CorruptionError
	var corrupt *index.CorruptionError
	var version *index.VersionError
	return errors.As(err, &ours) || errors.As(err, &corrupt) || errors.As(err, &version)
}

// A bite is what one transaction of the sweeper takes.
type bite struct {
	left  int // records that it may still change
	delta accounts
	rest  *index.Trash // of the entry that did not fit
}

// take drops as much of an entry as the bite has room for, and the entry itself with the last of
// it. One that is held is put where it waits.
func (b *bite) take(tx index.Tx, item queued) (done bool, err error) {
	if item.held {
		b.left--
		return true, errors.Join(
			index.Pop(tx, index.TrashQueue()),
			index.Put(tx, index.WaitingKey(item.ID), &item.Trash),
		)
	}
	now := item.Trash
	if item.Kind == index.TrashContent {
		done, err = b.takeContent(tx, &now)
	} else {
		done, err = b.takeManifest(tx, item.ID, nil)
	}
	if err != nil {
		return false, err
	}
	if done {
		now.Parts, now.Bytes = 0, 0
	}
	b.delta.totals.TrashParts -= item.Parts - now.Parts
	b.delta.totals.TrashBytes -= item.Bytes - now.Bytes
	b.left--
	if !done {
		b.rest = &now
	}
	return done, remove(tx, item, now, done)
}

// remove takes an entry out of the trash, or writes down what is left of it.
func remove(tx index.Tx, item queued, now index.Trash, done bool) error {
	key := index.WaitingKey(item.ID)
	if !item.waiting {
		ends, err := index.TrashQueue().Ends(tx)
		if err != nil {
			return err
		}
		key = index.TrashQueue().Key(ends.Head)
	}
	switch {
	case !done && now == item.Trash:
		return nil
	case !done:
		return index.Put(tx, key, &now)
	case item.waiting:
		return index.Delete(tx, key)
	default:
		return index.Pop(tx, index.TrashQueue())
	}
}

func (b *bite) takeContent(tx index.Tx, t *index.Trash) (done bool, err error) {
	if t.Parts > 1 { // with the first bite, and in vain with later ones
		if err := dropDirectory(tx, t.ID); err != nil {
			return false, err
		}
	}
	for entry, err := range index.Scan(tx, index.PartsOf(t.ID)) {
		if err != nil {
			return false, err
		}
		part := &entry.Record
		if done, err := b.takeManifest(tx, part.Manifest, part); err != nil || !done {
			return false, err
		}
		if err := index.Delete(tx, entry.Key); err != nil {
			return false, err
		}
		b.delta.totals.Parts--
		t.Parts, t.Bytes = max(t.Parts-1, 0), max(t.Bytes-part.Size, 0)
		b.left--
	}
	return true, nil
}

// takeManifest drops the pages of a manifest, or what the index has instead. part is what refers to
// it, if that is known.
func (b *bite) takeManifest(
	tx index.Tx, id index.ManifestID, part *index.Part,
) (done bool, err error) {
	if b.left <= 0 {
		return false, nil
	}
	if part == nil || part.Inline {
		inline, err := dropInline(tx, id, &b.delta)
		if err != nil || inline {
			b.left--
			return true, err
		}
	}
	for entry, err := range index.Scan(tx, index.PagesOf(id)) {
		if err != nil {
			return false, err
		}
		if b.left <= 0 {
			return false, nil
		}
		if err := dropPage(tx, entry.Key, &entry.Record, &b.delta); err != nil {
			return false, err
		}
		b.left -= len(entry.Record.Chunks) + 1
	}
	return true, nil
}
