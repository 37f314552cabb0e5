package engine

import (
	"context"
	"errors"

	"github.com/gabion-storage/gabion/engine/internal/lease"
	"github.com/gabion-storage/gabion/engine/internal/ledger"
)

// What reclaiming may do where several engines share the stores.
const (
	callRounds    = 2    // of a call: the second gives back what has died in the first
	mostCondemned = 4096 // volumes in one round
	epochWait     = 2    // leases that a round waits for its epoch: a node that is gone takes one
	restLeases    = 20   // in which volumes are not looked at, when there was nothing to do
)

// A sweeper gives space back where several engines share the stores. It runs on the node that holds
// the turn (see lease.Turn), by whoever holds that node's worker.
//
// It does so in rounds. Each begins an epoch, in which volumes are condemned, and before which all
// was discarded that is in the trash then. When the epoch has passed nobody counts on any of that
// any more: what was in the trash is swept, and the condemned volumes are emptied and removed. What
// has died by the sweeping is for the next round.
type sweeper struct {
	engine *Engine
	begun  *round          // that waits for its epoch; nil if there is none
	known  map[uint64]bool // the volumes that were there when the last round began that is over
	rest   int             // how often nothing need be done while the trash is empty
}

// A round is what there was when an epoch began.
type round struct {
	epoch   lease.Epoch
	trash   ledger.Noted
	volumes map[uint64]bool
}

// reclaim gives space back. It is Engine.reclaim for a node: a call waits for the turn, and does
// all that can be done by now; in the background whoever has the turn does the work.
func (s *sweeper) reclaim(
	ctx context.Context, share float64, called bool,
) (res ReclaimResult, err error) {
	rounds, take := 1, s.engine.node.Take
	if called {
		rounds, take = callRounds, s.engine.waitForTurn
	} else if rests, err := s.rests(ctx); rests || err != nil {
		return res, err
	}
	turn, err := take(ctx)
	if errors.Is(err, lease.ErrTurnTaken) {
		return res, nil
	}
	if err != nil {
		return res, err
	}
	defer release(ctx, turn, &err)
	c := &compaction{
		engine: s.engine, index: turn.Store(), share: share, seal: called, whole: true,
	}
	var errs []error
	for ; rounds > 0; rounds-- {
		over, err := s.round(ctx, turn, c)
		errs = append(errs, err)
		if !over {
			break
		}
	}
	err = errors.Join(append(append(errs, c.lost...), ctx.Err())...)
	if err == nil && s.begun == nil && rounds > 0 {
		s.rest = restLeases
	}
	return c.result, err
}

// rests says whether there is nothing to do in the background. Every node asks once a lease, so it
// costs a look into the index. To list volumes costs more, and is for what was given up without being
// discarded: by nodes that died, and by uploads that failed.
func (s *sweeper) rests(ctx context.Context) (bool, error) {
	if s.rest == 0 {
		return false, nil
	}
	s.rest--
	trash, err := s.engine.trash.Note(ctx)
	if trash.Some() {
		s.rest = 0
	}
	return s.rest > 0, err
}

// round begins a round, after the one before, and ends it. It says whether it did: else there is
// nothing to do, or something is in the way.
func (s *sweeper) round(
	ctx context.Context, turn *lease.Turn, c *compaction,
) (over bool, err error) {
	var errs []error
	if s.begun != nil {
		over, err := s.end(ctx, turn, c)
		if errs = append(errs, err); !over {
			return false, err
		}
	}
	if err := s.begin(ctx, turn, c); err != nil || s.begun == nil {
		return false, errors.Join(append(errs, err)...)
	}
	over, err = s.end(ctx, turn, c)
	return over, errors.Join(append(errs, err)...)
}

// begin begins a round, if there is anything to do. It condemns volumes that are worth it, of those
// that were there when the last round began. What is in others may be of calls under way, and will
// be named.
func (s *sweeper) begin(ctx context.Context, turn *lease.Turn, c *compaction) error {
	e := s.engine
	trash, err := e.trash.Note(ctx)
	if err != nil {
		return err
	}
	states, err := c.states(ctx)
	if err != nil {
		return err
	}
	condemned, err := turn.Condemned(ctx)
	if err != nil {
		return err
	}
	r := &round{trash: trash, volumes: make(map[uint64]bool)}
	var free []volumeState // that are not condemned
	for _, v := range states {
		if r.volumes[v.ID] = true; condemned[v.ID] == 0 {
			free = append(free, v)
		}
	}
	chosen, _ := c.choose(free)
	left, err := c.unfinished(ctx, states, condemned)
	if err != nil || !trash.Some() && len(chosen) == 0 && !left.some() {
		return err
	}
	var volumes []uint64
	for id, epoch := range condemned {
		if epoch == lease.Unknown {
			volumes = append(volumes, id)
		}
	}
	for _, v := range chosen {
		if !s.known[v.ID] || len(volumes) >= mostCondemned {
			continue
		}
		if v.Active {
			there, err := c.sealed(ctx, v.ID)
			if err != nil {
				return err
			}
			if !there {
				continue
			}
		}
		volumes = append(volumes, v.ID)
	}
	r.epoch, err = turn.Advance(ctx, volumes)
	if err != nil {
		return err
	}
	s.begun = r
	return nil
}

// end waits until the epoch of the round has passed, and ends the round: it sweeps and removes what
// nobody counts on any more. After an error it may be tried again.
func (s *sweeper) end(
	ctx context.Context, turn *lease.Turn, c *compaction,
) (over bool, err error) {
	if passed, err := s.wait(ctx, turn); !passed {
		return false, err
	}
	swept, err := s.engine.trash.SweepNoted(ctx, turn.Store(), s.begun.trash)
	c.result.Chunks += swept.Chunks
	c.result.Bytes += swept.Bytes
	if err != nil {
		return false, err
	}
	var errs []error
	for _, err := range swept.Damaged {
		errs = append(errs, ofLedger(err))
	}
	errs = append(errs, c.clear(ctx, turn, s.begun.epoch))
	if ctx.Err() == nil {
		s.begun, s.known, over = nil, s.begun.volumes, true
	}
	return over, errors.Join(errs...)
}

// wait waits until the epoch of the round has passed, as long as that makes sense. While there are
// older calls, or open Objects, the round is left for another time.
func (s *sweeper) wait(ctx context.Context, turn *lease.Turn) (passed bool, err error) {
	waiting, cancel := context.WithTimeout(ctx, epochWait*s.engine.opts.Lease)
	defer cancel()
	err = turn.Wait(waiting, s.begun.epoch)
	if err != nil && waiting.Err() != nil && ctx.Err() == nil {
		return false, nil
	}
	return err == nil, err
}
