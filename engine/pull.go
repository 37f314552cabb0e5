package engine

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/gabion-storage/gabion/engine/internal/ledger"
	"github.com/gabion-storage/gabion/index"
)

// PullRequest has the options of a Pull.
type PullRequest struct {
	// Progress is called now and then, at least once for some thousand records, from another
	// goroutine than the caller's. As with Events, Pull waits for it, and what it panics with is
	// lost; it must return soon and must not call the engine.
	Progress func(PullProgress)
}

// PullProgress says how far a Pull has got.
type PullProgress struct {
	Pass int  // over the whole store, from 1
	Last bool // it is the last one

	Seen, Of int64 // chunks looked at in this pass, of about so many

	Chunks, Bytes int64 // chunks copied in all passes, and their stored bytes
	Records       int64 // other records written or deleted, in all passes
}

// PullResult says what a Pull has done.
type PullResult struct {
	Chunks, Bytes int64 // chunks copied, and their stored bytes
	Records       int64 // other records written or deleted

	// Problems is what is damaged in the store that was copied, as Check tells it: which objects and
	// uploads are hit. The copy is no better, but where an earlier Pull has found more. It is empty
	// if all is sound.
	Problems []Problem
}

// Limits of a Pull.
const (
	pullPasses  = 8        // before the last, while others write as much as is copied
	pullBytes   = 64 << 20 // fewer than these are left to the last pass
	pullRecords = 16 << 10 // likewise
)

// Pull makes the clone a copy of a store, as that is at a moment within the call. What the clone
// has already of it, from an earlier Pull, complete or not, stays. A clone is of one store for
// good: ErrInvalidArgument is returned for another, and for a clone that was opened as a store.
//
// The store may be used meanwhile. What changes while it is copied is copied in further passes; in
// the last one, over one snapshot, reclaiming waits. Every frame that is copied is verified by its
// checksum. What is damaged in the store is part of the result, does not keep the rest from being
// copied, and is tried again by the next Pull.
//
// It takes memory for some chunks and some thousand records. It fails with ErrNoSpace when the free
// space of the clone's stores is down to Options.ReserveSpace. After this and any other error, and
// after ctx has ended, it can be called again. Of several Pulls at once to the same stores the last
// to begin goes on, and the others fail with ErrInUse; those to one Clone wait for each other.
func (c *Clone) Pull(
	ctx context.Context, from *Engine, req *PullRequest,
) (_ *PullResult, err error) {
	outer := call{op: "Pull", ctx: ctx}
	defer outer.wrap(&err)
	if from == nil {
		return nil, ErrInvalidArgument.saying("There is no store to pull from.")
	}
	source, err := from.begin(ctx, call{op: "Pull"})
	defer source.end(&err)
	if err != nil {
		return nil, err
	}
	source.pass() // what is given back before the last pass begins is pulled by none
	if err := c.to.gate.Enter(ctx, ErrClosed); err != nil {
		return nil, err
	}
	defer c.to.gate.Leave()
	select {
	case <-c.turn:
		defer func() { c.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	p := &pull{from: from, to: c.to, tell: orEmpty(req).Progress, sound: make(map[uint64]bool)}
	if err := p.run(ctx); err != nil {
		return nil, err
	}
	return &p.res, nil
}

// A pull is one Pull.
type pull struct {
	from, to *Engine
	id       [16]byte
	tell     func(PullProgress)
	progress PullProgress
	sound    map[uint64]bool // the volumes of the clone that can be read
	damaged  bool            // this pass has met damage
	res      PullResult
}

// A look has fn see the store that is copied: as it is now, or as it was at some moment.
type look func(ctx context.Context, fn func(index.Reader) error) error

// run makes passes over what changes meanwhile, until what is left to do is little, and then one
// over a snapshot. Only that one counts: the others are there to make it short.
func (p *pull) run(ctx context.Context) (err error) {
	if err := p.begin(ctx); err != nil {
		return err
	}
	if err := p.listVolumes(ctx); err != nil {
		return err
	}
	for range pullPasses {
		before := p.progress
		if err := p.pass(ctx, p.from.index.View); err != nil {
			return err
		}
		now := p.progress
		if now.Bytes-before.Bytes < pullBytes && now.Records-before.Records < pullRecords {
			break
		}
	}
	// Reclaiming would move chunks and remove volumes under the snapshot.
	if err := p.from.worker.claim(ctx); err != nil {
		return err
	}
	defer p.from.worker.yield()
	turn, err := p.from.waitForTurn(ctx)
	if err != nil {
		return err
	}
	defer release(ctx, turn, &err)
	return p.from.index.View(ctx, func(r index.Reader) error { return p.last(ctx, r) })
}

// begin takes the header away, if there is one, and marks the stores as this Pull's.
func (p *pull) begin(ctx context.Context) error {
	if _, err := rand.Read(p.id[:]); err != nil {
		return err
	}
	return p.to.index.Update(ctx, func(tx index.Tx) error {
		mark, err := index.Get(tx, index.CloneKey())
		if errors.Is(err, index.ErrNotFound) {
			mark, err = index.Clone{Source: p.from.storeID}, p.unused(tx)
		}
		if err == nil && mark.Source != p.from.storeID {
			err = ErrInvalidArgument.saying("The clone is of another store, %x.", mark.Source)
		}
		if err != nil {
			return err
		}
		mark.Pull = p.id
		return errors.Join(
			index.Put(tx, index.CloneKey(), &mark), index.Delete(tx, index.HeaderKey()),
		)
	})
}

// unused refuses an index without a mark that is not empty: the clone was opened as a store.
func (p *pull) unused(r index.Reader) error {
	for _, err := range r.Scan(nil, nil) {
		if err == nil {
			err = notAClone(p.to)
		}
		return err
	}
	return nil
}

// update runs fn in a transaction of the clone, as long as no other Pull has begun.
func (p *pull) update(ctx context.Context, fn func(index.Tx) error) error {
	return p.to.index.Update(ctx, func(tx index.Tx) error {
		mark, err := index.Get(tx, index.CloneKey())
		switch {
		case errors.Is(err, index.ErrNotFound) || err == nil && mark.Pull != p.id:
			return ErrInUse.saying("Another Pull to the same stores has begun.")
		case err != nil:
			return err
		}
		return fn(tx)
	})
}

// listVolumes finds out which volumes of the clone can be read. A chunk was synced before it got
// its record, so whether its volume is there says whether it is.
func (p *pull) listVolumes(ctx context.Context) error {
	volumes, err := p.to.blobs.Volumes(ctx)
	for _, v := range volumes {
		p.sound[v.ID] = v.Damage == nil
	}
	return err
}

// pass makes the clone what see shows, but for the counters and the header.
func (p *pull) pass(ctx context.Context, see look) error {
	p.progress.Pass++
	p.progress.Seen, p.damaged = 0, false
	err := see(ctx, func(r index.Reader) error {
		totals, err := ledger.Totals(r)
		p.progress.Of = totals.Chunks
		return err
	})
	if err != nil {
		return err
	}
	if err := p.chunks(ctx, see); err != nil {
		return err
	}
	for _, table := range index.Carried() {
		if err := p.records(ctx, see, table); err != nil {
			return err
		}
	}
	return nil
}

// last makes the pass over the snapshot that the clone is to be a copy of.
func (p *pull) last(ctx context.Context, r index.Reader) error {
	p.progress.Last = true
	snapshot := func(_ context.Context, fn func(index.Reader) error) error { return fn(r) }
	if err := p.pass(ctx, snapshot); err != nil {
		return err
	}
	if p.damaged {
		k := newCheck(p.from, false)
		k.r = r
		if err := k.run(ctx); err != nil {
			return err
		}
		p.res.Problems = k.res.Problems
	}
	p.res.Chunks, p.res.Bytes = p.progress.Chunks, p.progress.Bytes
	p.res.Records = p.progress.Records
	if err := p.from.node.Confirm(ctx); err != nil { // what was not found may have been given back
		return err
	}
	return p.finish(ctx, r)
}

// finish writes the counters, and the header, with which the clone is a store.
func (p *pull) finish(ctx context.Context, r index.Reader) error {
	header, err := index.Get(r, index.HeaderKey())
	if err != nil {
		return err
	}
	totals, err := ledger.Totals(r)
	if err != nil {
		return err
	}
	return p.update(ctx, func(tx index.Tx) error {
		own, err := ledger.Totals(tx) // of chunks, as they are here
		if err != nil {
			return err
		}
		all := totals
		all.Chunks, all.StoredBytes, all.Damaged = own.Chunks, own.StoredBytes, own.Damaged
		return errors.Join(
			index.Put(tx, index.TotalsKey(), &all), index.Put(tx, index.HeaderKey(), &header),
		)
	})
}

// report tells how far it is.
func (p *pull) report() {
	if p.tell != nil {
		hook(func() { p.tell(p.progress) })
	}
}
