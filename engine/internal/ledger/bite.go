package ledger

import (
	"errors"

	"github.com/gabion-storage/gabion/index"
)

// A bite is what one transaction of a sweep drops.
type bite struct {
	left  int // records that it may still change
	delta Delta
	rest  *index.Trash // of the entry that did not fit
}

// entry drops as much of an entry as the bite has room for, and the entry itself with the last of
// it. One that is in use is put where it waits. One that cannot be read is dropped, since what it was
// of nobody knows: that stays, and Check tells of it.
func (b *bite) entry(tx index.Tx, item queued) (done bool, err error) {
	if !item.waiting {
		if past, err := reach(tx, item.number); past || err != nil {
			return past, err
		}
	}
	if item.lost != nil {
		b.left--
		return true, index.Pop(tx, index.TrashQueue())
	}
	if item.used {
		b.left--
		return true, errors.Join(
			index.Pop(tx, index.TrashQueue()),
			index.Put(tx, index.WaitingKey(item.ID), &item.Trash),
		)
	}
	now := item.Trash
	if item.Kind == index.TrashContent {
		done, err = b.content(tx, &now)
	} else {
		done, err = b.manifest(tx, item.ID, nil)
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

// reach makes an entry the head of the queue: it drops the numbers before it that have no record any
// more, so that none is taken for another. It says whether the queue is past the entry already.
func reach(tx index.Tx, number uint64) (past bool, err error) {
	q := index.TrashQueue()
	for {
		ends, err := q.Ends(tx)
		if err != nil || ends.Head >= number {
			return ends.Head > number, err
		}
		if err := index.Pop(tx, q); err != nil {
			return false, err
		}
	}
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

// content drops the parts of a content, and its directory before them.
func (b *bite) content(tx index.Tx, t *index.Trash) (done bool, err error) {
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
		if done, err := b.manifest(tx, part.Manifest, part); err != nil || !done {
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

// dropDirectory deletes the directory of a content, if there is any: at most ten records.
func dropDirectory(tx index.Tx, id index.ContentID) error {
	for entry, err := range index.ScanAll(tx, index.DirectoryOf(id)) {
		if len(entry.Key) == 0 {
			return err
		}
		if err := index.Delete(tx, entry.Key); err != nil {
			return err
		}
	}
	return nil
}

// manifest drops the pages of a manifest, or what the index has instead. part is what refers to it,
// if that is known.
func (b *bite) manifest(tx index.Tx, id index.ManifestID, part *index.Part) (done bool, err error) {
	if b.left <= 0 {
		return false, nil
	}
	if part == nil || part.Inline {
		inline, err := b.delta.dropInline(tx, id)
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
		if err := b.delta.dropPage(tx, entry.Key, &entry.Record); err != nil {
			return false, err
		}
		b.left -= len(entry.Record.Chunks) + 1
	}
	return true, nil
}
