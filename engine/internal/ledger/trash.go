package ledger

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gabion-storage/gabion/index"
)

// A Trash is what nothing refers to any more, and is not swept yet. It also knows what is in use,
// which is not swept until it has been left. Its methods may be called from many goroutines, but
// for those that say otherwise.
type Trash struct {
	index index.Store
	now   func() time.Time
	wake  func()
	inUse inUse

	shared bool // see NewSharedTrash

	pushed atomic.Uint64 // how often something was pushed, be that committed or not
	swept  atomic.Uint64 // after how many pushes all was swept

	unswept atomic.Int64 // of what has become free

	recovered bool // what waited from before the index was opened is free; for who sweeps

	mu    sync.Mutex // guards the fields below
	freed [][16]byte // what waited until nobody used it
	aside [][16]byte // what is damaged
}

// NewTrash returns the trash of an index. now says when something is discarded. wake is called,
// without a lock, when something that waited can be swept.
func NewTrash(idx index.Store, now func() time.Time, wake func()) *Trash {
	t := &Trash{index: idx, now: now, wake: wake}
	t.inUse.freed = t.free
	return t
}

// Use keeps a content or a manifest from being swept. Who finds it named after Use, in a snapshot
// taken then, can count on it. The caller owes a Leave.
func (t *Trash) Use(id [16]byte) { t.inUse.enter(id) }

// Leave undoes one Use.
func (t *Trash) Leave(id [16]byte) { t.inUse.leave(id) }

// InUse is how many contents and manifests are in use.
func (t *Trash) InUse() int { return t.inUse.count() }

// DropOwner counts one owner of a content less, and discards it with the last.
func (t *Trash) DropOwner(tx index.Tx, id index.ContentID, parts int, bytes int64) error {
	last, err := dropOwner(tx, id)
	if err != nil || !last {
		return err
	}
	return t.DiscardContent(tx, id, parts, bytes)
}

// DiscardContent queues a content of so many parts and bytes, which nothing refers to any more.
func (t *Trash) DiscardContent(tx index.Tx, id index.ContentID, parts int, bytes int64) error {
	return t.discard(
		tx, index.Trash{Kind: index.TrashContent, ID: id, Parts: int64(parts), Bytes: bytes},
	)
}

// PutPart stores the record of a part, which names its manifest, and discards that of the part
// that it replaces, if it does. It counts the part, and what else there is to count.
func (t *Trash) PutPart(
	tx index.Tx, id index.ContentID, number int, part *index.Part, also index.Totals,
) (replaced bool, err error) {
	key := index.PartKey(id, number)
	old, err := index.Get(tx, key)
	switch {
	case err == nil:
		replaced = true
		err = t.discard(
			tx, index.Trash{
				Kind: index.TrashManifest, ID: old.Manifest, Parts: 1, Bytes: old.Size,
			},
		)
	case errors.Is(err, index.ErrNotFound):
		also.Parts++
		err = nil
	}
	if err == nil {
		err = Count(tx, also)
	}
	if err != nil {
		return false, err
	}
	return replaced, index.Put(tx, key, part)
}

func (t *Trash) discard(tx index.Tx, rec index.Trash) error {
	rec.Queued = t.now()
	t.pushed.Add(1)
	if _, err := index.Push(tx, index.TrashQueue(), &rec); err != nil {
		return err
	}
	return Count(tx, index.Totals{TrashParts: rec.Parts, TrashBytes: rec.Bytes})
}

// Pending says, at no cost, whether anything may have been discarded that is not swept.
func (t *Trash) Pending() bool { return !t.shared && t.pushed.Load() > t.swept.Load() }

// Unswept is how much of what had to wait is free, and not swept: contents and manifests, of which
// the totals need not know.
func (t *Trash) Unswept() int64 { return t.unswept.Load() }

// Retry has the next Sweep try again what is damaged.
func (t *Trash) Retry() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unswept.Add(int64(len(t.aside)))
	t.freed = append(t.freed, t.aside...)
	t.aside = nil
}

// Recover frees what waits since before the index was opened: nobody can use it. Only the first
// call that succeeds does anything. It is for who sweeps, before the first Sweep.
func (t *Trash) Recover(ctx context.Context) error {
	if t.recovered {
		return nil
	}
	var ids [][16]byte
	err := t.index.View(ctx, func(r index.Reader) error {
		return eachWaiting(r, func(id [16]byte) bool {
			ids = append(ids, id)
			return true
		})
	})
	for _, id := range ids {
		// But for what has begun to wait since.
		if !t.inUse.want(id) {
			t.free(id)
		}
	}
	t.recovered = err == nil
	return err
}

// eachWaiting calls fn with the ids of what waits, until it returns false. Those of records that are
// damaged are among them: who sweeps them will see that.
func eachWaiting(r index.Reader, fn func(id [16]byte) bool) error {
	for entry, err := range index.ScanAll(r, index.AllWaiting()) {
		if len(entry.Key) == 0 {
			return err
		}
		id, err := index.ParseWaitingKey(entry.Key)
		if err != nil {
			return err
		}
		if !fn(id) {
			break
		}
	}
	return nil
}

// free has what waits swept.
func (t *Trash) free(id [16]byte) {
	t.unswept.Add(1)
	t.putBack([][16]byte{id})
	t.wake()
}

// putBack leaves what waits, and nobody uses, to the next Sweep.
func (t *Trash) putBack(ids [][16]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.freed = append(t.freed, ids...)
}

func (t *Trash) popFreed() [][16]byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	ids := t.freed
	t.freed = nil
	return ids
}

// putAside keeps what is damaged for another try.
func (t *Trash) putAside(id [16]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.aside = append(t.aside, id)
}
