package engine

import "context"

// ReclaimRequest is empty.
type ReclaimRequest struct{}

// ReclaimResult says what was freed.
type ReclaimResult struct {
	Chunks    int64 // chunks that nothing refers to any more
	Bytes     int64 // their stored bytes
	Volumes   int64 // volumes removed
	DiskBytes int64 // bytes of the volumes removed, less those of the chunks that were copied
}

// VolumeReclaimed is what Events.VolumeReclaimed is called with.
type VolumeReclaimed struct {
	Volume uint64
	Moved  int64 // bytes of live chunks copied to other volumes
	Freed  int64 // bytes given back
}

// Reclaim gives the space of what was deleted back and returns when that is done: it drops the
// references that deletions have queued, copies the live chunks out of every volume of which 15 %
// or more is dead, and removes those volumes. The same happens in the background by itself, there
// for volumes of which half is dead.
//
// It may be called beside any other calls, and stopped at any point by ctx; what is done stays
// done. It needs memory for a few chunks and at most the free space of one volume's live bytes,
// which it may take from Options.ReserveSpace. What an open Object reads, and volumes that running
// uploads have just written to, are left for later. A damaged chunk stays where it is. When that
// is found out it is part of the error, as a *CorruptionError, and later calls leave it alone; everything
// else is reclaimed all the same. Storing the same bytes anew, or deleting what has them, lets its volume go.
func (e *Engine) Reclaim(ctx context.Context, _ *ReclaimRequest) (_ *ReclaimResult, err error) {
	c, err := e.begin(ctx, call{op: "Reclaim"})
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	if err := e.sweeper.take(ctx); err != nil {
		return nil, err
	}
	defer e.sweeper.pass()
	e.sweeper.tryAgain()
	freed, err := e.sweeper.reclaim(ctx, reclaimDeadShare, true)
	if err != nil {
		return nil, err
	}
	return &freed, nil
}
