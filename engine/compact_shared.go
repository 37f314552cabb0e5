package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine/internal/lease"
	"github.com/gabion-storage/gabion/engine/internal/ledger"
)

// Where several engines share the stores, a compaction condemns volumes for good, and removes them
// when their epoch has passed. It does not trim, since nobody can spare what others have pinned.

// condemned are the condemned volumes of which something is left to be done.
type condemned struct {
	there []candidate
	gone  []uint64 // removed by now, and to be forgotten
}

func (v *condemned) some() bool { return len(v.there) > 0 || len(v.gone) > 0 }

// unfinished returns what is left to be done about condemned volumes, but for those where trying
// would be in vain once more.
func (c *compaction) unfinished(
	ctx context.Context, states []volumeState, epochs map[uint64]lease.Epoch,
) (left condemned, err error) {
	there := make(map[uint64]bool, len(states))
	for _, v := range states {
		there[v.ID] = true
		if epochs[v.ID] != 0 && !c.engine.damage.isStuck(v.ID, v.live.LiveBytes) {
			left.there = append(left.there, candidate{volumeState: v})
		}
	}
	for id := range epochs {
		if there[id] {
			continue
		}
		live, err := ledger.LiveIn(ctx, c.index, id)
		if err != nil {
			return left, err
		}
		if live.LiveChunks == 0 { // else it is lost
			left.gone = append(left.gone, id)
		}
	}
	return left, nil
}

// clear empties and removes the volumes that were condemned up to an epoch, which has passed. It
// goes on after a volume that fails.
func (c *compaction) clear(ctx context.Context, turn *lease.Turn, passed lease.Epoch) error {
	for more := true; more; {
		epochs, err := turn.Condemned(ctx)
		if err != nil {
			return err
		}
		for id, epoch := range epochs {
			if epoch > passed {
				delete(epochs, id)
			}
		}
		states, err := c.states(ctx)
		if err != nil {
			return err
		}
		left, err := c.unfinished(ctx, states, epochs)
		if err != nil {
			return err
		}
		for _, id := range left.gone {
			if err := turn.Forget(ctx, id); err != nil {
				return err
			}
		}
		if len(left.there) == 0 {
			return nil
		}
		if more, err = c.plan(ctx, left.there); err != nil {
			return err
		}
		if err := c.clearPlanned(ctx, turn, left.there); err != nil {
			return err
		}
	}
	return nil
}

// clearPlanned empties and removes volumes, what needs least space first, and as many as there is space
// for. What lives in them is copied together, so that many that are nearly empty become few.
func (c *compaction) clearPlanned(
	ctx context.Context, turn *lease.Turn, volumes []candidate,
) error {
	var refs []blob.Ref
	var room int64
	var full error
	slices.SortFunc(volumes, func(a, b candidate) int { return cmp.Compare(a.room(), b.room()) })
	for i := range volumes {
		switch v := &volumes[i]; {
		case !v.planned:
		case len(v.bad) > 0 || v.Damage != nil && len(v.chunks) > 0:
			c.engine.damage.setStuck(v.ID, v.live.LiveBytes)
			v.planned = false
		case len(v.chunks) > 0:
			room += v.room()
			if full = cmp.Or(full, c.checkRoom(room)); full != nil {
				v.planned = false
			} else {
				refs = append(refs, v.chunks...)
			}
		}
	}
	errs := []error{full}
	for stride := range batches(refs, planChunks, c.engine.opts.VolumeSize) {
		if _, err := c.move(ctx, stride); err != nil {
			errs = append(errs, err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	for i := range volumes {
		if v := &volumes[i]; v.planned {
			errs = append(errs, c.removeCondemned(ctx, turn, v))
		}
	}
	return errors.Join(errs...)
}

// removeCondemned removes a volume if nothing lives in it.
func (c *compaction) removeCondemned(
	ctx context.Context, turn *lease.Turn, v *candidate,
) error {
	live, err := ledger.LiveIn(ctx, c.index, v.ID)
	if err != nil || live.LiveChunks > 0 { // what could not be copied
		return err
	}
	err = c.remove(ctx, v, v.live.LiveBytes)
	if err != nil && !errors.Is(err, blob.ErrNoVolume) { // a node that had the turn was late
		return fmt.Errorf("reclaiming volume %d: %w", v.ID, err)
	}
	return turn.Forget(ctx, v.ID)
}
