package engine

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gabion-storage/gabion/index"
)

// sweepPinned is how long the sweeper leaves alone, once they are free, the volumes that running
// uploads counted on.
const sweepPinned = time.Second

// sweepFailed is how long the sweeper waits before it tries again what has failed.
const sweepFailed = time.Minute

// sweepBytes is how much is swept before volumes are looked at: what is dead must not pile up until
// the trash is empty.
const sweepBytes = 32 << 20

// The sweeper works in the background. It drops what deletions have put into the trash: parts,
// manifests, and references to chunks; and has volumes compacted. It also aborts stale uploads.
// Each of its transactions takes a bounded bite and leaves the rest valid, so it can stop and go on
// anywhere, also in another process. It does nothing unless it is woken.
type sweeper struct {
	engine *Engine
	woken  chan struct{} // holds one token while there may be something to do
	pinned chan struct{} // holds one token when a volume that was left is free
	begun  chan struct{} // holds one token while there may be the first open upload
	cancel context.CancelFunc
	done   sync.WaitGroup

	pushed   atomic.Uint64 // the tail of the trash after the newest push, be that committed or not
	swept    atomic.Uint64 // up to which number all has been taken
	watching atomic.Bool   // somebody looks for stale uploads now and then

	turn      chan struct{} // holds a token while nobody sweeps, compacts or checks
	waiting   atomic.Int64  // calls that want the turn: the background stands back for them
	recovered bool          // what waited from before Open is free; who has the turn may touch it

	mu        sync.Mutex // guards the fields below
	interrupt context.CancelFunc
	freed     [][16]byte // what waited until nobody held it
	aside     [][16]byte // what is damaged
}

func startSweeper(e *Engine) *sweeper {
	ctx, cancel := context.WithCancel(context.Background())
	s := &sweeper{
		engine: e, cancel: cancel, turn: make(chan struct{}, 1),
		woken: make(
			chan struct{}, 1,
		), pinned: make(chan struct{}, 1), begun: make(chan struct{}, 1),
	}
	s.turn <- struct{}{}
	e.inUse.freed = func(id [16]byte) { s.free(id) }
	signal(s.woken) // a stop may have left something behind
	s.watch()
	s.done.Go(func() { s.run(ctx) })
	return s
}

// signal puts a token into a channel that holds one.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// wake tells the sweeper of what a transaction that is committed has put into the trash. It costs
// nothing if that is nothing.
func (s *sweeper) wake() {
	if s.pushed.Load() > s.swept.Load() {
		signal(s.woken)
	}
}

// rouse wakes the sweeper because there is too much garbage.
func (s *sweeper) rouse() { signal(s.woken) }

// free tells the sweeper that nobody holds these any more.
func (s *sweeper) free(ids ...[16]byte) {
	s.mu.Lock()
	s.freed = append(s.freed, ids...)
	s.mu.Unlock()
	signal(s.woken)
}

func (s *sweeper) takeFreed() [][16]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := s.freed
	s.freed = nil
	return ids
}

// putAside keeps what is damaged for another try.
func (s *sweeper) putAside(id [16]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.aside = append(s.aside, id)
}

// tryAgain takes what was put aside.
func (s *sweeper) tryAgain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.freed = append(s.freed, s.aside...)
	s.aside = nil
}

// watch tells the sweeper that there is an open upload.
func (s *sweeper) watch() {
	if s.engine.opts.UploadExpiry > 0 && !s.watching.Swap(true) {
		signal(s.begun)
	}
}

// stop ends the sweeper and waits for it.
func (s *sweeper) stop() {
	s.cancel()
	s.done.Wait()
}

func (s *sweeper) run(ctx context.Context) {
	retry, expiry := stoppedTimer(), stoppedTimer()
	defer retry.Stop()
	defer expiry.Stop()
	for {
		select {
		case <-s.woken:
		case <-s.pinned:
			retry.Reset(sweepPinned)
			continue
		case <-retry.C:
			s.tryAgain()
		case <-s.begun:
			expiry.Reset(s.expiryInterval())
			continue
		case <-expiry.C:
			s.expire(ctx, expiry)
			continue
		case <-ctx.Done():
			return
		}
		if err := s.background(ctx); err != nil && ctx.Err() == nil {
			s.engine.opts.alarm(err)
			retry.Reset(sweepFailed)
		}
	}
}

func stoppedTimer() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// recover frees, once, what waits since before the store was opened: nobody can hold it.
func (s *sweeper) recover(ctx context.Context) error {
	if s.recovered {
		return nil
	}
	var ids [][16]byte
	err := s.engine.index.View(ctx, func(r index.Reader) (err error) {
		ids, err = waitingSince(r)
		return err
	})
	for _, id := range ids {
		// But for what has begun to wait since.
		if !s.engine.inUse.want(id) {
			s.free(id)
		}
	}
	s.recovered = err == nil
	return err
}

// expiryInterval is how often stale uploads are looked for: a few times in the life of an idle one.
func (s *sweeper) expiryInterval() time.Duration {
	return min(max(s.engine.opts.UploadExpiry/8, time.Second), time.Hour)
}

// expire aborts stale uploads, and goes on looking for them while there are any uploads.
func (s *sweeper) expire(ctx context.Context, timer *time.Timer) {
	e := s.engine
	s.watching.Store(false) // whoever begins an upload from now on starts the timer again
	_, left, err := e.expire(ctx, e.now().Add(-e.opts.UploadExpiry))
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		e.opts.alarm(err)
	}
	if left || err != nil {
		s.watching.Store(true)
		timer.Reset(s.expiryInterval())
	}
}

// background reclaims. It stands back when a call wants the turn, since held to Options.ReclaimRate
// it may take very long, and then goes on.
func (s *sweeper) background(ctx context.Context) error {
	for {
		working, cancel := context.WithCancel(ctx)
		s.mu.Lock()
		s.interrupt = cancel
		s.mu.Unlock()
		select {
		case <-s.turn:
		case <-ctx.Done():
			cancel()
			return nil
		}
		if s.waiting.Load() > 0 {
			cancel()
			s.pass()
			runtime.Gosched()
			continue
		}
		_, err := s.reclaim(working, backgroundDeadShare, false)
		interrupted := working.Err() != nil
		cancel()
		s.pass()
		if ctx.Err() != nil || !interrupted {
			return err
		}
	}
}

// take waits for the turn on behalf of a call, which must pass it on.
func (s *sweeper) take(ctx context.Context) error {
	s.waiting.Add(1)
	defer s.waiting.Add(-1)
	s.mu.Lock()
	if s.interrupt != nil {
		s.interrupt()
	}
	s.mu.Unlock()
	select {
	case <-s.turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pass gives the turn to whoever waits for it.
func (s *sweeper) pass() { s.turn <- struct{}{} }

// reclaim needs the turn. It works off the trash and meanwhile, and at its end, copies the volumes
// of which at least this share is dead. It says what was freed.
func (s *sweeper) reclaim(ctx context.Context, share float64, seal bool) (ReclaimResult, error) {
	if err := s.recover(ctx); err != nil {
		return ReclaimResult{}, err
	}
	throttle := s.engine.throttle
	throttle.Began()
	defer throttle.Ended(ctx)
	var errs []error
	sweeping := sweep{sweeper: s}
	var compacted ReclaimResult
	for more := true; more && ctx.Err() == nil; {
		var err error
		more, err = sweeping.run(ctx, sweepBytes)
		errs = append(errs, err)
		c := compaction{engine: s.engine, share: share, seal: seal && !more}
		errs = append(errs, c.run(ctx))
		compacted.Volumes += c.result.Volumes
		compacted.Trimmed += c.result.Trimmed
		compacted.DiskBytes += c.result.DiskBytes
		throttle.GoesOn(ctx)
		if c.left && !more {
			signal(s.pinned)
		}
	}
	errs = append(errs, s.engine.dir.refillReserve(), ctx.Err())
	res := sweeping.freed
	res.Volumes, res.Trimmed, res.DiskBytes = compacted.Volumes, compacted.Trimmed, compacted.DiskBytes
	return res, errors.Join(append(errs, sweeping.errs...)...)
}
