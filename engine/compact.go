package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine/internal/ledger"
	"github.com/gabion-storage/gabion/index"
)

// A volume is worth copying when this share of what it occupies is dead and cannot be given back
// where it is: in the background, where the copying should pay, and when Reclaim is called.
const (
	backgroundDeadShare = 0.5
	reclaimDeadShare    = 0.15
)

// Limits of one step of the copying.
const (
	moveChunks  = 128     // chunks moved in one transaction
	moveBytes   = 8 << 20 // and about so many bytes
	moveWorkers = 2
	planChunks  = 1 << 17 // live chunks listed at a time, some 50 bytes each
)

// A compaction gives the disk space of dead chunks back, what needs least first. Volumes in which
// nothing lives are removed. In others holes are punched where dead chunks lie; that needs no space
// and moves nothing, so it also works when the disk is full. Copying is for what holes cannot give
// back: frames so small that dead ones share blocks with live ones, volumes that are nearly empty,
// of which there would be ever more, and file systems without holes. It copies the live chunks of a
// volume to active ones, points the index at the copies, and removes the volume. Every step leaves
// the store valid, so it can stop anywhere; copies that nothing points at are dead like any other.
//
// What becomes of a volume, and who may move it on, is a diagram in package ledger.
//
// Who runs one has the turn.
type compaction struct {
	engine *Engine
	index  index.Store // by which it reads and writes
	share  float64
	seal   bool // take what there is, also from active volumes, which are sealed
	whole  bool // volumes are removed, and never trimmed
	result ReclaimResult
	left   bool    // something was left because it is in use
	lost   []error // of the index's records: what they are about is left, too

	settled int // volumes that need not be looked at again, or have given something back
}

// candidate is a volume that is worth touching.
type candidate struct {
	volumeState
	policy  policy
	merge   bool       // copy it however alive it is
	chunks  []blob.Ref // that live
	pins    []blob.Ref // of unfinished parts: it may be trimmed around them only
	damaged int        // of the chunks: they stay
	planned bool       // chunks are listed: without that nothing but what has no chunks may be touched

	removed bool // or tried to
	trimmed bool // or tried to
	holes   int64
	err     error
}

// run gives back what is worth it. It goes on after a volume that fails.
func (c *compaction) run(ctx context.Context) error {
	if c.seal {
		c.engine.forgetUntrimmed()
	}
	for {
		before := c.settled
		more, err := c.round(ctx)
		// Where the first volumes are left as they are, for want of space or since they are in use, the
		// next round would meet the same.
		if err != nil || !more || c.settled == before {
			return errors.Join(append(c.lost, err)...)
		}
	}
}

// states looks at all volumes of which it is known what lives in them.
func (c *compaction) states(ctx context.Context) ([]volumeState, error) {
	states, err := c.engine.volumeStates(ctx)
	return slices.DeleteFunc(states, func(v volumeState) bool {
		if v.lost != nil {
			c.lose(v.lost)
		}
		return v.lost != nil
	}), err
}

// lose notes that a record is lost, once.
func (c *compaction) lose(err error) {
	known := func(other error) bool { return other.Error() == err.Error() }
	if !slices.ContainsFunc(c.lost, known) {
		c.lost = append(c.lost, err)
	}
}

// round does as much as can be planned at a time, and says whether there was more.
func (c *compaction) round(ctx context.Context) (more bool, err error) {
	states, err := c.states(ctx)
	if err != nil {
		return false, err
	}
	volumes, plan := c.choose(states)
	volumes, err = c.condemn(ctx, volumes)
	defer func() { c.spare(volumes) }()
	if err != nil || len(volumes) == 0 {
		return false, err
	}
	// After the condemnation, since when no part can add to what lives in these volumes. What they
	// were chosen for was seen before it and may have changed: it decides about nothing that is
	// destroyed.
	if plan {
		if more, err = c.plan(ctx, volumes); err != nil {
			return false, err
		}
	}
	// The last two by the plan.
	steps := []func(context.Context, *candidate) error{c.removeDead, c.trim, c.copy}
	for i, step := range steps {
		if i == len(steps)-1 { // what needs least space first, since each gives some
			slices.SortFunc(
				volumes, func(a, b candidate) int { return cmp.Compare(a.room(), b.room()) },
			)
		}
		for i := range volumes {
			if err := ctx.Err(); err != nil {
				return false, errors.Join(c.errorsOf(volumes), err)
			}
			if v := &volumes[i]; v.err == nil && !v.removed {
				v.err = step(ctx, v)
			}
		}
	}
	return more, c.errorsOf(volumes)
}

func (c *compaction) errorsOf(volumes []candidate) error {
	var errs []error
	for i := range volumes {
		v := &volumes[i]
		if v.err != nil {
			errs = append(errs, fmt.Errorf("reclaiming volume %d: %w", v.ID, v.err))
		}
	}
	return errors.Join(errs...)
}

// condemn reserves the volumes, sealing those that are active: what unfinished parts count on in
// them by now is listed, and nothing comes to that. It leaves out what turns out not to be there.
func (c *compaction) condemn(
	ctx context.Context, volumes []candidate,
) (condemned []candidate, err error) {
	sealed := false
	for _, v := range volumes {
		if v.Active {
			there, err := c.sealed(ctx, v.ID)
			if err != nil {
				return condemned, err
			}
			if !there {
				continue
			}
			sealed = true
		}
		v.pins = c.engine.pins.Condemn(v.ID)
		c.left = c.left || len(v.pins) > 0
		condemned = append(condemned, v)
	}
	if sealed {
		err = c.describe(ctx, condemned)
	}
	return condemned, err
}

// sealed seals a volume, and says whether it is there. It is not when it could not be written, which
// those were told who wanted it to be; then there is nothing to give back.
func (c *compaction) sealed(ctx context.Context, volume uint64) (there bool, err error) {
	err = c.engine.blobs.Seal(ctx, volume)
	if errors.Is(err, blob.ErrNoVolume) {
		return false, nil
	}
	return err == nil, err
}

// describe looks at the volumes anew. Sealing has changed what they occupy, and what counts as dead
// in an active one does not shrink by its holes.
func (c *compaction) describe(ctx context.Context, volumes []candidate) error {
	infos, err := c.engine.blobs.Volumes(ctx)
	if err != nil {
		return err
	}
	byID := make(map[uint64]blob.VolumeInfo, len(infos))
	for _, info := range infos {
		byID[info.ID] = info
	}
	for i := range volumes {
		if info, there := byID[volumes[i].ID]; there {
			volumes[i].VolumeInfo = info
		}
	}
	return nil
}

// spare ends the condemnation of the volumes that stay.
func (c *compaction) spare(volumes []candidate) {
	pins := c.engine.pins
	for i := range volumes {
		switch v := &volumes[i]; {
		case v.removed:
			pins.Removed(v.ID)
		case v.trimmed:
			pins.SpareTrimmed(v.ID)
		default:
			pins.Spare(v.ID)
		}
	}
}

// plan lists the live chunks of the volumes. It leaves volumes at the end of the list out when
// there are too many chunks, and says so.
func (c *compaction) plan(ctx context.Context, volumes []candidate) (more bool, err error) {
	byID := make(map[uint64]*candidate, len(volumes))
	for i := range volumes {
		byID[volumes[i].ID] = &volumes[i]
	}
	listed, last := 0, len(volumes)-1
	var accounts map[uint64]index.Volume // if there are chunks of which it is not known where they are
	err = c.index.View(ctx, func(r index.Reader) error {
		for entry, err := range index.ScanAll(r, index.Chunks()) {
			if index.IsCorrupt(err) && len(entry.Key) > 0 {
				if accounts == nil { // one of them will do
					accounts = make(map[uint64]index.Volume)
					c.lose(err)
				}
				continue
			}
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
			if c.engine.damage.KnownIn(id, &entry.Record) != nil {
				v.damaged++
			}
			v.chunks = append(v.chunks, ledger.RefOf(id, entry.Record))
			for listed++; listed > c.engine.planMost && last > 0; last-- {
				v := &volumes[last]
				listed -= len(v.chunks)
				v.chunks = nil
				delete(byID, v.ID)
			}
		}
		if accounts != nil {
			for id := range byID {
				if accounts[id], err = ledger.LiveAt(r, id); err != nil {
					return err
				}
			}
		}
		return ctx.Err()
	})
	if err != nil {
		return false, err
	}
	for id, v := range byID {
		listed := index.Volume{LiveChunks: int64(len(v.chunks))}
		for _, ref := range v.chunks {
			listed.LiveBytes += int64(ref.Size)
		}
		if account, doubt := accounts[id]; doubt && account != listed {
			// A record that is lost may be of a chunk here. It stays until it is stored anew, or for
			// good, and is no reason to look again.
			c.leave(v)
			continue
		}
		v.planned, v.live = true, listed
	}
	return last < len(volumes)-1, nil
}

// leave has a volume be left alone as long as what lives in it does not change.
func (c *compaction) leave(v *candidate) {
	v.chunks = nil
	c.engine.damage.setStuck(v.ID, v.live.LiveBytes)
	c.engine.noteTrim(v.ID, trimNote{live: v.live})
	c.settled++
}

// removeDead removes a volume in which nothing lives.
func (c *compaction) removeDead(ctx context.Context, v *candidate) error {
	if len(v.pins) > 0 {
		return nil
	}
	// Not by the plan, which there may not be. The volume is condemned, so what lives in it does
	// not grow.
	live, err := ledger.LiveIn(ctx, c.index, v.ID)
	if err != nil || live.LiveChunks > 0 {
		return err
	}
	return c.remove(ctx, v, 0)
}

// remove removes a volume whose live chunks, of which so many bytes were copied, are elsewhere.
func (c *compaction) remove(ctx context.Context, v *candidate, moved int64) error {
	live, err := ledger.LiveIn(ctx, c.index, v.ID)
	if err != nil {
		return err
	}
	if live.LiveBytes > 0 || live.LiveChunks > 0 {
		return fmt.Errorf("it has %d live bytes although all its chunks were moved", live.LiveBytes)
	}
	if err := c.index.Failure(); err != nil {
		return err // see trim
	}
	// Whatever becomes of it, since it may be gone all the same: nobody may pin a chunk there any
	// more.
	v.removed = true
	c.settled++
	delete(c.engine.trims, v.ID)
	if err := c.engine.blobs.Remove(ctx, v.ID); err != nil {
		return err
	}
	freed := v.DiskBytes - moved
	c.result.Volumes++
	c.result.DiskBytes += freed
	c.engine.opts.reclaimed(
		VolumeReclaimed{Volume: v.ID, Moved: moved, Freed: freed + v.holes, Removed: true},
	)
	return nil
}

// trim punches holes where nothing lives.
//
// What is dead here was found so in a snapshot of the index, which has only what is durable, taken
// after the volume was condemned. Nobody can resurrect it: a chunk's record is made anew only for a
// place that is pinned, pins of before are spared below, and no place that was looked up or stored
// before the trim can be pinned after it (see Pins of the intake). Who reads a chunk that has been moved
// meanwhile looks it up again when reading fails. A crash before, amid or after the punching leaves
// live chunks as they are and dead ones readable or not, which is the same to everybody.
//
// A commit that has failed is the one thing that a snapshot does not tell: it may be stored all the
// same, and name chunks that look dead. Whoever made it lets go of its pins only after the index
// knows of the failure. So who has seen no pin and then no failure may destroy.
func (c *compaction) trim(ctx context.Context, v *candidate) error {
	if !v.planned || v.Damage != nil || !v.worth(v.policy.trim) {
		return nil
	}
	if err := c.index.Failure(); err != nil {
		return err
	}
	v.trimmed = true
	freed, err := c.engine.blobs.Trim(ctx, v.ID, slices.Concat(v.chunks, v.pins))
	v.DiskBytes -= freed
	v.holes = freed
	c.result.DiskBytes += freed
	never := errors.Is(err, errors.ErrUnsupported)
	if never {
		err = nil // then by copying
	}
	var corrupt *blob.CorruptionError
	if err != nil && !errors.As(err, &corrupt) {
		return err
	}
	// What lives in a sealed volume only shrinks: as long as its account stays, so does this, but for
	// what was spared. Nor is a log that is too short for what should live in it reported each time
	// anew.
	note := trimNote{live: v.live, pinned: len(v.pins) > 0, never: never}
	if c.engine.noteTrim(v.ID, note) {
		c.settled++
	}
	if freed > 0 {
		c.result.Trimmed++
		if !v.copies() {
			c.engine.opts.reclaimed(VolumeReclaimed{Volume: v.ID, Freed: freed})
		}
	}
	return err
}

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
	if v.damaged > 0 {
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
