package lease_test

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/gabion-storage/gabion/engine/internal/lease"
	"github.com/gabion-storage/gabion/index"
)

// sweep takes the turn, and gives back some of what can be.
func (p *process) sweep(ctx context.Context) error {
	p.pause(p.upTo(lasts))
	turn, err := p.node.Take(ctx)
	if err != nil {
		return err
	}
	for range p.below(10) {
		var some []uint64
		for _, volume := range p.list() {
			if p.below(4) == 0 {
				some = append(some, volume)
			}
		}
		if err := p.round(ctx, turn, some); err != nil {
			return err
		}
	}
	return turn.Release(ctx)
}

// round condemns some volumes, sweeps what was discarded before, and gives back the volumes that
// are condemned.
func (p *process) round(ctx context.Context, turn *lease.Turn, condemn []uint64) error {
	var trash index.Ends
	err := p.node.Store().View(ctx, func(r index.Reader) (err error) {
		trash, err = index.TrashQueue().Ends(r)
		return err
	})
	if err != nil {
		return err
	}
	e, err := turn.Advance(ctx, condemn)
	if err != nil {
		return err
	}
	if err := turn.Wait(ctx, e); err != nil {
		return err
	}
	if err := p.sweepBelow(ctx, turn, trash.Tail); err != nil {
		return err
	}
	condemned, err := turn.Condemned(ctx)
	if err != nil {
		return err
	}
	for _, volume := range slices.Backward(slices.Sorted(maps.Keys(condemned))) {
		if condemned[volume] > e {
			continue
		}
		if err := p.giveBack(ctx, turn, volume); err != nil {
			return err
		}
	}
	return nil
}

// sweepBelow sweeps the contents that had been discarded when the queue's tail was there.
func (p *process) sweepBelow(ctx context.Context, turn *lease.Turn, tail uint64) error {
	for {
		done := false
		err := turn.Store().Update(ctx, func(tx index.Tx) error {
			ends, err := index.TrashQueue().Ends(tx)
			if done = ends.Head >= tail; done || err != nil {
				return err
			}
			return sweepContent(tx)
		})
		if err != nil || done {
			return err
		}
		p.count("swept")
	}
}

// giveBack moves what lives in a volume, and removes it.
func (p *process) giveBack(ctx context.Context, turn *lease.Turn, volume uint64) error {
	living, err := p.living(ctx, volume)
	if err != nil {
		return err
	}
	if len(living) > 0 {
		copies := p.store(living...)
		p.pause(p.upTo(lasts))
		err := turn.Store().Update(ctx, func(tx index.Tx) error {
			return moveChunks(tx, living, volume, copies)
		})
		if err != nil {
			return err
		}
		p.count("moved")
		p.check()
	}
	p.travel() // nothing lives in it, and never will
	p.remove(volume)
	p.check()
	return turn.Forget(ctx, volume)
}

func (p *process) living(ctx context.Context, volume uint64) (living []index.ChunkID, err error) {
	err = p.node.Store().View(ctx, func(r index.Reader) error {
		living, err = livingIn(r, volume)
		return err
	})
	return living, err
}

// moveChunks points the records of chunks that are still in a volume at their copies.
func moveChunks(tx index.Tx, chunks []index.ChunkID, from, to uint64) error {
	for _, id := range chunks {
		rec, err := index.Get(tx, index.ChunkKey(id))
		if errors.Is(err, index.ErrNotFound) || err == nil && rec.Volume != from {
			continue
		}
		if err != nil {
			return err
		}
		rec.Volume = to
		if err := index.Put(tx, index.ChunkKey(id), &rec); err != nil {
			return err
		}
	}
	return nil
}
