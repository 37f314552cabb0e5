package engine

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// reclaimPinned is how long the worker leaves the volumes alone that running uploads count on. As
// long as it finds nothing else to do it waits twice as long each time, up to reclaimFailed.
const reclaimPinned = time.Second

// reclaimFailed is how long the worker waits before it tries again what has failed.
const reclaimFailed = time.Minute

// The worker works in the background: it has the trash swept and volumes compacted, and aborts
// stale uploads. It does nothing unless it is woken.
//
// Whoever sweeps, compacts or checks needs the turn, of which there is one. A call claims it; the
// worker stands back for calls.
type worker struct {
	engine *Engine
	woken  chan struct{} // holds one token while there may be something to do
	pinned chan struct{} // holds one token when a volume was left that is in use
	begun  chan struct{} // holds one token while there may be the first open upload
	cancel context.CancelFunc
	done   sync.WaitGroup

	watching atomic.Bool // somebody looks for stale uploads now and then

	turn   chan struct{} // holds a token while nobody has the turn
	claims atomic.Int64  // calls that wait for the turn

	mu        sync.Mutex // guards interrupt
	interrupt context.CancelFunc
}

func newWorker(e *Engine) *worker {
	w := &worker{
		engine: e, turn: make(chan struct{}, 1),
		woken: make(chan struct{}, 1), pinned: make(chan struct{}, 1),
		begun: make(chan struct{}, 1),
	}
	w.turn <- struct{}{}
	return w
}

// start sets the worker going, when it is the engine's. It must be stopped.
func (w *worker) start() {
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	w.rouse() // a stop may have left something behind
	w.watch()
	w.done.Go(func() { w.run(ctx) })
	if w.engine.opts.UploadExpiry > 0 {
		w.done.Go(func() { w.runExpiry(ctx) })
	}
}

// signal puts a token into a channel that holds one.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// wake tells the worker of what a transaction that is committed has discarded. It costs nothing if
// that is nothing.
func (w *worker) wake() {
	if w.engine.trash.Pending() {
		w.rouse()
	}
}

// rouse wakes the worker, whatever there is to do.
func (w *worker) rouse() { signal(w.woken) }

// watch tells the worker that there is an open upload.
func (w *worker) watch() {
	if w.engine.opts.UploadExpiry > 0 && !w.watching.Swap(true) {
		signal(w.begun)
	}
}

// stop ends the worker and waits for it.
func (w *worker) stop() {
	w.cancel()
	w.done.Wait()
}

func (w *worker) run(ctx context.Context) {
	retry, free, again := stoppedTimer(), stoppedTimer(), stoppedTimer()
	defer retry.Stop()
	defer free.Stop()
	defer again.Stop()
	wait := reclaimPinned
	for {
		select {
		case <-w.woken:
			wait = reclaimPinned
		case <-w.pinned:
			free.Reset(wait)
			wait = min(2*wait, reclaimFailed)
			continue
		case <-free.C: // what is damaged is not tried again so soon
		case <-retry.C:
			w.engine.trash.Retry()
		case <-again.C:
			w.watch()
		case <-ctx.Done():
			return
		}
		if err := w.reclaim(ctx); err != nil && ctx.Err() == nil {
			w.engine.alarm(err)
			retry.Reset(reclaimFailed)
		}
		if w.engine.node != nil { // other nodes discard, too, and begin uploads
			again.Reset(w.engine.opts.Lease)
		}
	}
}

func stoppedTimer() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// runExpiry aborts stale uploads. It needs no turn, which a Check may have for hours, and does not wait
// for what is reclaimed meanwhile.
func (w *worker) runExpiry(ctx context.Context) {
	expiry := stoppedTimer()
	defer expiry.Stop()
	for {
		select {
		case <-w.begun:
			expiry.Reset(w.expiryInterval())
		case <-expiry.C:
			w.expire(ctx, expiry)
		case <-ctx.Done():
			return
		}
	}
}

// expiryInterval is how often stale uploads are looked for: a few times in the life of an idle one.
func (w *worker) expiryInterval() time.Duration {
	return min(max(w.engine.opts.UploadExpiry/8, time.Second), time.Hour)
}

// expire aborts stale uploads, and goes on looking for them while there are any uploads.
func (w *worker) expire(ctx context.Context, timer *time.Timer) {
	e := w.engine
	w.watching.Store(false) // whoever begins an upload from now on starts the timer again
	left := false
	before, err := e.staleBefore(ctx)
	if err == nil {
		_, left, err = e.expire(ctx, before)
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		e.alarm(err)
	}
	if left || err != nil {
		w.watching.Store(true)
		timer.Reset(w.expiryInterval())
	}
}

// reclaim reclaims in the background. It stands back when a call claims the turn, since held to
// Options.ReclaimRate it may take very long, and then goes on.
func (w *worker) reclaim(ctx context.Context) error {
	for {
		working, cancel := context.WithCancel(ctx)
		w.mu.Lock()
		w.interrupt = cancel
		w.mu.Unlock()
		select {
		case <-w.turn:
		case <-ctx.Done():
			cancel()
			return nil
		}
		if w.claims.Load() > 0 {
			cancel()
			w.yield()
			runtime.Gosched()
			continue
		}
		_, err := w.engine.reclaim(working, backgroundDeadShare, false)
		interrupted := working.Err() != nil
		cancel()
		w.yield()
		if ctx.Err() != nil || !interrupted {
			return err
		}
	}
}

// claim waits for the turn on behalf of a call, which must yield it.
func (w *worker) claim(ctx context.Context) error {
	w.claims.Add(1)
	defer w.claims.Add(-1)
	w.mu.Lock()
	if w.interrupt != nil {
		w.interrupt()
	}
	w.mu.Unlock()
	select {
	case <-w.turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// yield gives the turn to whoever waits for it.
func (w *worker) yield() { w.turn <- struct{}{} }
