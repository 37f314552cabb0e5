package engine

import (
	"context"
	"errors"
)

// ReclaimRequest is empty.
type ReclaimRequest struct{}

// ReclaimResult says what was freed.
type ReclaimResult struct {
	Chunks  int64 // chunks that nothing refers to any more
	Bytes   int64 // their stored bytes
	Volumes int64 // volumes removed
	Trimmed int64 // volumes that have holes now where dead chunks lay

	// DiskBytes is what came back on disk: from the index, holes and removed volumes, less what the
	// chunks take that were copied.
	DiskBytes int64
}

// VolumeReclaimed is what Events.VolumeReclaimed is called with.
type VolumeReclaimed struct {
	Volume  uint64
	Moved   int64 // bytes of live chunks copied to other volumes; 0 if it is not Removed
	Freed   int64 // bytes given back on disk
	Removed bool  // the volume is gone; else there are holes in it where dead chunks lay
}

// Reclaim gives the space of what was deleted back and returns when that is done: it drops the
// references that deletions have queued, removes the volumes in which nothing lives any more, and
// punches holes into the others where dead chunks lie. Volumes with little in them are merged by
// copying, and so are those of which 15 % or more is dead and cannot be given back by holes: chunks
// of a few KiB share blocks of the disk, and not every file system has holes. The index, which
// holds small bodies, is written anew when some MiB of it may be dead; without the free space for
// what lives in it that is left for later. The same happens in the background by itself, when more
// is dead. Only Reclaim copies what lives in volumes of another kind than Options.Volumes, however
// much that is, and removes them.
//
// It may be called beside any other calls, and stopped at any point by ctx. It needs memory for a
// few chunks. Removing and holes need no disk space, so they also give it back on a full disk;
// copying needs the free space of one volume's live bytes, half of Options.ReserveSpace excepted,
// and is left for later where there is less. What an open Object reads is left for later. So are
// volumes that running uploads have just written to, though holes are punched into them. With
// Options.Node, so is whatever was given up while a call or Object was open that still is, on any
// node.
//
// A chunk that turns out to be damaged stays where it is and is part of the error, as a
// *CorruptionError, and so is a record of the index; everything else is reclaimed all the same. One
// that is known to be damaged by then stays, too, and is no error. With an error there is no
// result, but what was done stays done.
func (e *Engine) Reclaim(ctx context.Context, _ *ReclaimRequest) (_ *ReclaimResult, err error) {
	c, err := e.begin(ctx, call{op: "Reclaim"})
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	c.pass()
	if err := e.worker.claim(ctx); err != nil {
		return nil, err
	}
	defer e.worker.yield()
	e.trash.Retry()
	freed, err := e.reclaim(ctx, reclaimDeadShare, true)
	if err != nil && ctx.Err() != nil {
		return nil, err
	}
	// Last, since it needs the space that volumes have given back; and whatever is damaged elsewhere.
	fromIndex, indexErr := e.compactIndex(ctx)
	if err := errors.Join(err, indexErr); err != nil {
		return nil, err
	}
	freed.DiskBytes += fromIndex
	return &freed, nil
}

// sweepBytes is how much is swept before volumes are looked at: what is dead must not pile up until
// the trash is empty.
const sweepBytes = 32 << 20

// reclaim needs the turn. It has the trash swept and meanwhile, and at its end, copies the volumes
// of which at least this share is dead. It says what was freed.
func (e *Engine) reclaim(ctx context.Context, share float64, seal bool) (ReclaimResult, error) {
	if e.node != nil {
		return e.sweeper.reclaim(ctx, share, seal)
	}
	var res ReclaimResult
	if err := e.trash.Recover(ctx); err != nil {
		return res, err
	}
	e.throttle.Began()
	defer e.throttle.Ended(ctx)
	var errs, damaged []error
	for more := true; more && ctx.Err() == nil; {
		swept, err := e.trash.Sweep(ctx, sweepBytes, e.throttle.GoesOn)
		res.Chunks += swept.Chunks
		res.Bytes += swept.Bytes
		for _, err := range swept.Damaged {
			damaged = append(damaged, ofLedger(err))
		}
		more = swept.More
		c := compaction{engine: e, index: e.index, share: share, seal: seal && !more}
		errs = append(errs, err, c.run(ctx))
		res.Volumes += c.result.Volumes
		res.Trimmed += c.result.Trimmed
		res.DiskBytes += c.result.DiskBytes
		e.throttle.GoesOn(ctx)
		if c.left && !more {
			signal(e.worker.pinned)
		}
	}
	errs = append(errs, e.dir.refillReserve(), ctx.Err())
	return res, errors.Join(append(errs, damaged...)...)
}
