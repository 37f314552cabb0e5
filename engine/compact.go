package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/index"
)

// A volume is worth copying when this share of its bytes is dead: in the background, where the
// copying should pay, and when Reclaim is called.
const (
	backgroundDeadShare = 0.5
	reclaimDeadShare    = 0.15
)

// Limits of one step of the copying.
const (
	moveChunks  = 128     // chunks moved in one transaction
	moveBytes   = 8 << 20 // and about so many bytes
	moveWorkers = 2
	planChunks  = 1 << 16 // live chunks listed at a time, some 50 bytes each

	// smallVolumes of less than smallShare of the volume size are merged, however alive they are:
	// each time a store is opened and closed may leave some.
	smallVolumes = 16
	smallShare   = 0.125

	// frameRoom is what a frame may take of a volume beside its own bytes. A volume full of tiny ones
	// is full: merging some would make as many.
	frameRoom = 4<<10 + 64
)

// A compaction gives the disk space of dead chunks back: it copies the live chunks of a volume to
// active ones, points the index at the copies, and removes the volume. Every step leaves the store
// valid, so it can stop anywhere; copies that nothing points at are dead like any other.
type compaction struct {
	engine *Engine
	share  float64
	seal   bool // also look at active volumes, and seal those worth copying
	result ReclaimResult
	left   bool // something was left because it is in use
}

// candidate is a volume that is worth copying.
type candidate struct {
	blob.VolumeInfo
	dead    int64
	live    []blob.Ref
	damaged int  // live chunks beside those, known to be damaged, which stay
	removed bool // or tried to
}

// run copies and removes what is worth it. It goes on after a volume that fails.
func (c *compaction) run(ctx context.Context) error {
	volumes, err := c.candidates(ctx)
	if err != nil {
		return err
	}
	volumes, err = c.condemn(ctx, volumes)
	defer func() {
		for _, v := range volumes {
			if !v.removed {
				c.engine.pipeline.pins.spare(v.ID)
			}
		}
	}()
	if err != nil || len(volumes) == 0 {
		return err
	}
	// After the condemnation: no part can add to what lives in these volumes any more.
	planned, err := c.plan(ctx, volumes)
	if err != nil {
		return err
	}
	var errs []error
	for i := range planned {
		if err := ctx.Err(); err != nil {
			return errors.Join(append(errs, err)...)
		}
		errs = append(errs, c.volume(ctx, &planned[i]))
	}
	return errors.Join(errs...)
}

// candidates returns the volumes that are worth copying, those with the most dead bytes first.
func (c *compaction) candidates(ctx context.Context) ([]candidate, error) {
	e := c.engine
	// In this order: what is pinned or live is in a volume already.
	volumes, err := e.blobs.Volumes(ctx)
	if err != nil {
		return nil, err
	}
	pinned := e.pipeline.pins.bytesIn()
	live, err := e.liveBytes(ctx)
	if err != nil {
		return nil, err
	}
	var found, small []candidate
	for _, v := range volumes {
		dead := max(v.Bytes-live[v.ID]-pinned[v.ID], 0)
		switch {
		case v.Damage != nil && live[v.ID] == 0 && pinned[v.ID] == 0:
			found = append(found, candidate{VolumeInfo: v}) // all that it held has been stored anew
		case v.Damage != nil || v.Active && !c.seal || e.damage.isStuck(v.ID, live[v.ID]):
		case v.Bytes > 0 && float64(dead) >= c.share*float64(v.Bytes):
			found = append(found, candidate{VolumeInfo: v, dead: dead})
		case !v.Active && float64(v.Bytes+v.Frames*frameRoom) < smallShare*float64(e.opts.VolumeSize):
			small = append(small, candidate{VolumeInfo: v, dead: dead})
		}
	}
	if len(small) >= smallVolumes {
		found = append(found, small...)
	}
	slices.SortFunc(found, func(a, b candidate) int { return cmp.Compare(b.dead, a.dead) })
	return found, nil
}

// condemn reserves the volumes for removal, sealing those that are active, and returns those that
// no unfinished part counts on.
func (c *compaction) condemn(ctx context.Context, volumes []candidate) (condemned []candidate, err error) {
	for _, v := range volumes {
		if v.Active {
			if err := c.engine.blobs.Seal(ctx, v.ID); err != nil {
				return condemned, err
			}
		}
		if c.engine.pipeline.pins.condemn(v.ID) {
			condemned = append(condemned, v)
		} else {
			c.left = true
		}
	}
	return condemned, nil
}

// liveBytes returns the live bytes of each volume.
func (e *Engine) liveBytes(ctx context.Context) (live map[uint64]int64, err error) {
	live = make(map[uint64]int64)
	err = e.index.View(ctx, func(r index.Reader) error {
		for entry, err := range index.Scan(r, index.Volumes()) {
			if err != nil {
				return err
			}
			id, err := index.ParseVolumeKey(entry.Key)
			if err != nil {
				return err
			}
			live[id] = entry.Record.LiveBytes
		}
		return nil
	})
	return live, err
}

// plan lists the live chunks of the volumes. It drops volumes from the end of the list when there
// are too many; what a later pass finds is soon enough.
func (c *compaction) plan(ctx context.Context, volumes []candidate) ([]candidate, error) {
	byID := make(map[uint64]*candidate, len(volumes))
	for i := range volumes {
		byID[volumes[i].ID] = &volumes[i]
	}
	listed := 0
	err := c.engine.index.View(ctx, func(r index.Reader) error {
		for entry, err := range index.Scan(r, index.Chunks()) {
			if err != nil {
				return err
			}
			v := byID[entry.Record.Volume]
			if v == nil {
				continue
			}
			id, err := index.ParseChunkKey(entry.Key)
			if err != nil {
				return err
			}
			if c.engine.damage.knownIn(id, &entry.Record) != nil {
				v.damaged++
				continue
			}
			v.live = append(v.live, refOf(id, entry.Record))
			for listed++; listed > planChunks && len(byID) > 1; {
				last := &volumes[len(byID)-1]
				listed -= len(last.live)
				delete(byID, last.ID)
				c.left = true
			}
		}
		return ctx.Err()
	})
	return volumes[:len(byID)], err
}

// volume copies the live chunks of one volume and removes it.
func (c *compaction) volume(ctx context.Context, v *candidate) error {
	e := c.engine
	var moved int64
	var errs []error
	for batch := range batches(v.live) {
		n, err := c.move(ctx, batch)
		moved += n
		errs = append(errs, err)
		if ctx.Err() != nil || errors.Is(err, blob.ErrNoSpace) {
			break
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("reclaiming volume %d: %w", v.ID, err)
	}
	live, err := e.liveBytes(ctx)
	if err != nil {
		return err
	}
	if live[v.ID] > 0 && v.damaged > 0 {
		// It stays until they are stored anew or deleted, and is no error each time anew.
		e.damage.setStuck(v.ID, live[v.ID])
		return nil
	}
	if live[v.ID] > 0 {
		return fmt.Errorf("volume %d has %d live bytes although all its chunks were moved", v.ID, live[v.ID])
	}
	// Whatever becomes of it, since it may be gone all the same: nobody may pin a chunk there any more.
	v.removed = true
	if err := e.blobs.Remove(ctx, v.ID); err != nil {
		return err
	}
	freed := v.Bytes - moved
	c.result.Volumes++
	c.result.DiskBytes += freed
	e.opts.reclaimed(VolumeReclaimed{Volume: v.ID, Moved: moved, Freed: freed})
	return nil
}

// batches cuts a list of chunks into pieces that one transaction moves.
func batches(refs []blob.Ref) func(yield func([]blob.Ref) bool) {
	return func(yield func([]blob.Ref) bool) {
		for len(refs) > 0 {
			n, size := 0, int64(0)
			for n < len(refs) && n < moveChunks && size < moveBytes {
				size += int64(refs[n].Size)
				n++
			}
			if !yield(refs[:n]) {
				return
			}
			refs = refs[n:]
		}
	}
}

// move copies chunks, makes the copies durable and then points the index at them, in that order. A
// chunk that cannot be read stays where it is. It returns the bytes moved.
func (c *compaction) move(ctx context.Context, refs []blob.Ref) (int64, error) {
	e := c.engine
	begun := time.Now()
	copies := make([]blob.Ref, len(refs))
	copyErr := c.copyAll(ctx, refs, copies)
	var volumes []uint64
	var size int64
	for _, ref := range copies {
		size += int64(ref.Size)
		if ref.Volume != 0 && !slices.Contains(volumes, ref.Volume) {
			volumes = append(volumes, ref.Volume)
		}
	}
	if len(volumes) == 0 {
		return 0, copyErr
	}
	if err := e.blobs.Sync(ctx, volumes...); err != nil {
		return 0, errors.Join(copyErr, err)
	}
	err := e.index.Update(ctx, func(tx index.Tx) error {
		var delta accounts
		for i, ref := range copies {
			if ref.Volume == 0 {
				continue
			}
			if err := repoint(tx, refs[i], ref, &delta); err != nil {
				return err
			}
		}
		return delta.apply(tx)
	})
	if err != nil {
		return 0, errors.Join(copyErr, err)
	}
	return size, errors.Join(copyErr, c.pace(ctx, begun, size))
}

// copyAll appends a copy of each chunk to an active volume. A copy that was not made is zero.
func (c *compaction) copyAll(ctx context.Context, refs, copies []blob.Ref) error {
	errs := make([]error, len(refs))
	next := make(chan int)
	var workers sync.WaitGroup
	for range moveWorkers {
		workers.Go(func() {
			var frame []byte
			for i := range next {
				// Get has verified the frame's checksum. The content address cannot be checked
				// here: the chunk may be sealed, and its key is not ours to ask for.
				if frame, errs[i] = c.engine.blobs.Get(ctx, refs[i], frame); errs[i] == nil {
					copies[i], errs[i] = c.engine.blobs.Put(ctx, refs[i].ID, frame)
				}
			}
		})
	}
	for i := range refs {
		next <- i
	}
	close(next)
	workers.Wait()
	failed := make(map[blob.Ref]error)
	for i, err := range errs {
		if err != nil {
			failed[refs[i]] = err
		}
	}
	c.engine.damage.note(ctx, failed)
	return errors.Join(errs...)
}

// repoint makes a chunk's record name its copy, if the chunk still lives and where it was.
func repoint(tx index.Tx, from, to blob.Ref, delta *accounts) error {
	key := index.ChunkKey(index.ChunkID(from.ID))
	rec, err := index.Get(tx, key)
	if errors.Is(err, index.ErrNotFound) || err == nil && refOf(index.ChunkID(from.ID), rec) != from {
		return nil
	}
	if err != nil {
		return err
	}
	delta.place(&rec, to)
	return index.Put(tx, key, &rec)
}

// pace waits so that no more than Options.ReclaimRate bytes are moved a second.
func (c *compaction) pace(ctx context.Context, begun time.Time, size int64) error {
	rate := c.engine.opts.ReclaimRate
	if rate == 0 {
		return nil
	}
	wait := time.NewTimer(time.Duration(float64(size)/float64(rate)*float64(time.Second)) - time.Since(begun))
	defer wait.Stop()
	select {
	case <-wait.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
