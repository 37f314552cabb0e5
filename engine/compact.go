package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

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

// planChunks is how many live chunks are listed at a time, some 50 bytes each.
const planChunks = 1 << 17

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
	bad     []blob.Ref // of the chunks, known to be damaged: they stay
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
			ref := ledger.RefOf(id, entry.Record)
			if c.engine.damage.KnownIn(id, &entry.Record) != nil {
				v.bad = append(v.bad, ref)
			}
			v.chunks = append(v.chunks, ref)
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
