package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine/internal/ledger"
)

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
	freed, err := c.trimAround(ctx, v)
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

// trimAround has the store trim a volume around what lives in it. That refuses to when the log ends
// before what should live does. Chunks behind the end that cannot be read, either, are lost, and the
// volume is trimmed around the others. The error is returned all the same if that was not known.
func (c *compaction) trimAround(ctx context.Context, v *candidate) (freed int64, err error) {
	live := slices.Concat(v.chunks, v.pins)
	bad := make(map[blob.Ref]bool, len(v.bad))
	for _, ref := range v.bad {
		bad[ref] = true
	}
	var news error
	for {
		freed, err = c.engine.blobs.Trim(ctx, v.ID, live)
		var corrupt *blob.CorruptionError
		if !errors.As(err, &corrupt) {
			return freed, cmp.Or(err, news)
		}
		at := slices.IndexFunc(live, func(ref blob.Ref) bool { return ref.ID == corrupt.ID })
		if at < 0 {
			return freed, err
		}
		// Records do not overlap, so whatever lies behind it does not fit either.
		from := live[at].Offset
		var behind []blob.Ref
		live = slices.DeleteFunc(live, func(ref blob.Ref) bool {
			if ref.Offset >= from && !bad[ref] {
				behind = append(behind, ref)
			}
			return ref.Offset >= from
		})
		if len(behind) == 0 {
			continue
		}
		news = cmp.Or(news, err)
		c.engine.damage.setStuck(v.ID, v.live.LiveBytes)
		if !c.areLost(ctx, behind) {
			return freed, err
		}
	}
}

// areLost reads chunks, notes which of them are damaged, and says whether all are.
func (c *compaction) areLost(ctx context.Context, refs []blob.Ref) bool {
	failed := make(map[blob.Ref]error)
	var frame []byte
	for _, ref := range refs {
		got, err := c.engine.blobs.Get(ctx, ref, frame)
		switch {
		case err == nil:
			frame = got
		case isDamage(err):
			failed[ref] = err
		}
	}
	c.engine.damage.note(ctx, failed)
	return len(failed) == len(refs)
}
