package engine

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine/internal/ledger"
	"github.com/gabion-storage/gabion/index"
)

// Limits of one step of the copying.
const (
	moveChunks  = 128     // chunks moved in one transaction
	moveBytes   = 8 << 20 // and about so many bytes
	moveWorkers = 2
)

// copies reports whether copying what lives in the volume is worth it.
func (v *candidate) copies() bool {
	if !v.planned || len(v.pins) > 0 || v.Damage != nil {
		return false
	}
	return v.merge || v.worth(v.policy.copy)
}

// copy copies the live chunks of one volume and removes it.
func (c *compaction) copy(ctx context.Context, v *candidate) error {
	if !v.copies() {
		return nil
	}
	if len(v.bad) > 0 {
		// It stays until they are stored anew or deleted, and is no error each time anew.
		c.engine.damage.setStuck(v.ID, v.live.LiveBytes)
		c.settled++
		return nil
	}
	// Begun and not finished, it would take space instead of giving some. What holes gave is there.
	if err := c.checkRoom(v.room()); err != nil {
		if errors.Is(err, ErrNoSpace) && (v.holes > 0 || v.merge) {
			return nil
		}
		return err
	}
	var moved int64
	var errs []error
	for batch := range batches(v.chunks, moveChunks, moveBytes) {
		n, err := c.move(ctx, batch)
		moved += n
		errs = append(errs, err)
		if ctx.Err() != nil || errors.Is(err, blob.ErrNoSpace) {
			break
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return c.remove(ctx, v, moved)
}

// checkRoom fails when copying what takes so many bytes would use up the reserve.
func (c *compaction) checkRoom(bytes int64) error {
	free, err := c.engine.blobs.Free()
	if err != nil {
		return err
	}
	if need := bytes + c.engine.opts.ReserveSpace/2 + moveBytes; free < need {
		return ErrNoSpace.saying(
			"%d bytes are free on the disk, copying what lives needs %d.", free, need,
		)
	}
	return nil
}

// batches cuts a list of chunks into pieces of at most so many, and about so many bytes.
func batches(refs []blob.Ref, chunks int, bytes int64) iter.Seq[[]blob.Ref] {
	return func(yield func([]blob.Ref) bool) {
		for len(refs) > 0 {
			n, size := 0, int64(0)
			for n < len(refs) && n < chunks && size < bytes {
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
	if err := c.point(ctx, refs, copies); err != nil {
		return 0, errors.Join(copyErr, err)
	}
	return size, errors.Join(copyErr, c.pace(ctx, begun, size))
}

// point points the index at copies, which are durable.
func (c *compaction) point(ctx context.Context, refs, copies []blob.Ref) error {
	for len(refs) > 0 {
		n := min(len(refs), moveChunks)
		err := c.index.Update(ctx, func(tx index.Tx) error {
			var delta ledger.Delta
			for i, ref := range copies[:n] {
				if ref.Volume == 0 {
					continue
				}
				if err := delta.Move(tx, refs[i], ref); err != nil {
					return err
				}
			}
			return delta.Apply(tx)
		})
		if err != nil {
			return err
		}
		refs, copies = refs[n:], copies[n:]
	}
	return nil
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
				// here: the chunk may be sealed, and its key is not ours to ask for, or addressed
				// within a scope, which only the records of parts tell.
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

// pace waits so that no more than Options.ReclaimRate bytes are moved a second.
func (c *compaction) pace(ctx context.Context, begun time.Time, size int64) error {
	rate := c.engine.opts.ReclaimRate
	if rate == 0 {
		return nil
	}
	wait := time.NewTimer(
		time.Duration(float64(size)/float64(rate)*float64(time.Second)) - time.Since(begun),
	)
	defer wait.Stop()
	select {
	case <-wait.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
