package engine

import (
	"context"
	"errors"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/index"
)

// A Clone is a store that becomes a copy of another one. Either may be of any kind: so a store
// moves from a directory into other stores, and back.
//
// The copy is made record by record and frame by frame. So everything in it is the same: objects,
// open uploads with their ids and parts, buckets, times, ETags, tags, deduplication, remembered
// answers of Complete, and what waits to be reclaimed. Sealed chunks and wrapped keys are copied as
// they are: no key is asked for, and the copy needs the same Options.Keys to be opened. It also has
// the id of the other store.
//
// Each Pull brings the copy up to a moment within that call. To move a store that is in use: Pull;
// stop all writes to the store; Pull again, which takes little more than a look at all records;
// Close the clone; and open the copy like any other store. From then on it is a store of its own,
// to which nothing can be pulled any more.
//
// Until a Pull has returned nil, and while another is under way, nobody can open the copy: Open and
// OpenStores fail with ErrUnfinishedClone, and Open with ErrInUse while the clone of a directory is
// open. After a Pull that fails, or whose process is killed, another one, in the same or another
// process, goes on without copying again what is there.
type Clone struct {
	to   *Engine       // that is not started: its stores, what room they have, and its gate
	turn chan struct{} // holds a token while nobody pulls
}

// lostVolume is the number of a volume that no clone has. The chunks that the other store has lost
// are said to be in it, and found to be lost.
const lostVolume = 1

// OpenClone opens a clone in dir, which is made if it is not there. It must be empty, or hold a
// clone that nobody has opened as a store yet; else it fails with ErrInvalidArgument. Otherwise it
// is like Open: it fails with ErrInUse when an engine or another clone has dir open, and with a
// *FormatError or a *CorruptionError for what lies there. Options.Node is ignored. The caller must
// call Close.
func OpenClone(ctx context.Context, dir string, o *Options) (_ *Clone, err error) {
	c := call{op: "OpenClone", ctx: ctx}
	defer c.wrap(&err)
	e := &Engine{opts: o.withDefaults()}
	if err := e.opts.validate(); err != nil {
		return nil, err
	}
	if e.dir, err = openStoreDir(dir); err != nil {
		return nil, err
	}
	if e.dir.format != nil {
		err = notAClone(e)
	}
	if err == nil {
		err = e.openInDir(ctx)
	}
	var clone *Clone
	if err == nil {
		clone, err = newClone(ctx, e)
	}
	if err != nil {
		return nil, errors.Join(err, e.closeStores())
	}
	return clone, nil
}

// OpenCloneStores opens a clone in an index and a chunk store of any kind, as OpenStores does. They
// must be empty, or hold a clone that nobody has opened as a store yet. The caller must call Close,
// which closes both. After an error the stores still belong to the caller, and are open.
func OpenCloneStores(
	ctx context.Context, idx index.Store, blobs blob.Store, o *Options,
) (_ *Clone, err error) {
	c := call{op: "OpenCloneStores", ctx: ctx}
	defer c.wrap(&err)
	e := &Engine{opts: o.withDefaults(), index: idx, blobs: blobs}
	if err := e.opts.validate(); err != nil {
		return nil, err
	}
	if idx == nil || blobs == nil {
		return nil, ErrInvalidArgument.saying("A clone needs an index and a chunk store.")
	}
	return newClone(ctx, e)
}

func newClone(ctx context.Context, to *Engine) (*Clone, error) {
	mark, err := readMark(ctx, to.index)
	if err == nil && mark == nil {
		err = checkNew(ctx, to)
	}
	if err != nil {
		return nil, err
	}
	last, err := to.lastVolume(ctx)
	if err != nil {
		return nil, err
	}
	if err := to.blobs.NumberAfter(max(last, lostVolume)); err != nil {
		return nil, err
	}
	to.indexSpace = &indexSpace{index: to.index}
	c := &Clone{to: to, turn: make(chan struct{}, 1)}
	c.turn <- struct{}{}
	return c, nil
}

// checkNew refuses to make a clone of what is not empty.
func checkNew(ctx context.Context, to *Engine) error {
	_, err := to.readHeader(ctx)
	switch {
	case errors.Is(err, index.ErrNotFound):
		return to.checkEmpty(ctx)
	case err != nil:
		return err
	}
	return notAClone(to)
}

func notAClone(to *Engine) error {
	return ErrInvalidArgument.saying("%s has a store in it that is no clone.", to.indexPlace())
}

// readMark returns what says that an index is a clone, or nil.
func readMark(ctx context.Context, idx index.Store) (mark *index.Clone, err error) {
	rec, err := index.FetchOne(ctx, idx, index.CloneKey())
	if errors.Is(err, index.ErrNotFound) {
		return nil, nil
	}
	return &rec, err
}

// adopt makes a store of its own of a clone that is complete. Other stores stay as they are.
func (e *Engine) adopt(ctx context.Context) error {
	mark, err := readMark(ctx, e.index)
	if err != nil || mark == nil {
		return err
	}
	return e.index.Update(ctx, func(tx index.Tx) error {
		_, err := tx.Get(index.HeaderKey())
		if errors.Is(err, index.ErrNotFound) { // a Pull has begun meanwhile
			err = ErrUnfinishedClone
		}
		return errors.Join(err, index.Delete(tx, index.CloneKey()))
	})
}

// Close waits for a Pull under way and closes the stores. It fails as Engine.Close does.
func (c *Clone) Close() error { return c.to.Close() }
