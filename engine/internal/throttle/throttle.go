// Package throttle slows down who writes when reclaiming cannot keep up.
//
// Garbage is what the store has on disk for nothing: what is in the trash, but for what may be of
// chunks that others refer to, and what is dead in volumes. What is dead in the index that gives
// back by itself. Reclaiming takes time
// that writers would rather have for themselves, so they are slowed down when there is more of it
// than a share of what lives and some room: not at all up to the soft limit, then ever more, and at
// the hard one they wait until reclaiming has got on.
//
// References weigh little on disk and cost much to sweep. Who writes many of them without bytes is
// held to the pace of the sweeping when that has fallen behind; see [Throttle.WaitInTurn].
//
// With what volumes set aside at their ends, the reserve and the log of the index, which the room
// leaves place for, the store takes at most 1.5 times what lives and 256 MiB.
package throttle

import (
	"context"
	"sync"
	"time"
)

// The limits.
const (
	softShare = 0.2
	softRoom  = 64 << 20
	hardShare = 0.4
	hardRoom  = 160 << 20

	// stuckRoom is how much more there may be than what reclaiming has just failed to give back, or
	// has left because it does not pay.
	stuckRoom = 64 << 20

	// lookEvery is how many bytes are taken in between two looks at the garbage, and mostLookEvery
	// how many while it is far below the soft limit: a look goes over all volumes.
	lookEvery     = 4 << 20
	mostLookEvery = 32 << 20

	// halfwayRate is how many bytes a second all writers together may take in halfway between the
	// limits. It goes to nothing at the hard one, and is unbounded at the soft one.
	halfwayRate = 128 << 20

	// patience bounds each wait. Reclaiming that does not get on for so long, since an open
	// Object holds what there is, or a check, a damaged volume or an index that fails is in its
	// way, stops nobody for longer; of those who wait in turn, the first.
	patience = time.Second
)

// Usage is what a store has on disk, in bytes.
type Usage struct {
	Live    int64
	Garbage int64 // that reclaiming could give back
	Trash   int64 // of what is in the trash, as it was before deduplication
}

// A Throttle slows writers down. Its methods may be called from many goroutines. Who waits should
// have nothing that others need.
type Throttle struct {
	measure func(ctx context.Context) (Usage, error)
	rouse   func()
	turn    chan struct{} // holds a token while somebody waits in turn

	mu       sync.Mutex // guards the fields below
	known    Usage      // as of the last look
	taken    int64      // bytes since
	interval int64      // to the next one
	stuck    int64      // garbage that reclaiming has left
	left     int64      // trash that it has left
	working  bool       // reclaiming is at work
	next     time.Time  // when the next byte may be taken in
	progress chan struct{}
}

// New makes a throttle. measure finds out what is on disk; rouse sets reclaiming going, and soon
// returns.
func New(measure func(context.Context) (Usage, error), rouse func()) *Throttle {
	return &Throttle{
		measure: measure, rouse: rouse, turn: make(chan struct{}, 1), progress: make(chan struct{}),
	}
}

// Wait is called before n bytes are taken in. It fails only when ctx ends.
func (t *Throttle) Wait(ctx context.Context, n int) error {
	t.mu.Lock()
	look := false
	if t.taken += int64(n); t.taken >= t.interval {
		t.taken, look = 0, true
	}
	t.mu.Unlock()
	if look {
		if err := t.look(ctx); err != nil {
			return ctx.Err() // whoever stores the bytes will see what the matter is
		}
	}
	delay, full := t.delay(n)
	if full {
		return t.waitForProgress(ctx)
	}
	if delay <= 0 {
		return nil
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// WaitInTurn is called before something is written that costs the sweeping much, and few bytes.
// behind says whether the sweeping has fallen behind; it is told how much trash, of Usage, the
// sweeping could not do anything about. Then one caller after the other goes on, each when the
// sweeping has got on by a transaction, or after patience: who has others before him waits for them,
// too. It fails when ctx ends or behind does.
func (t *Throttle) WaitInTurn(ctx context.Context, behind func(left int64) (bool, error)) error {
	if is, err := t.isBehind(behind); err != nil || !is {
		return err
	}
	select {
	case t.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-t.turn }()
	t.mu.Lock()
	progress, working := t.progress, t.working // before the look, so that none is missed
	t.mu.Unlock()
	if is, err := t.isBehind(behind); err != nil || !is {
		return err
	}
	if !working {
		t.rouse()
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-progress:
		return nil
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (t *Throttle) isBehind(behind func(left int64) (bool, error)) (bool, error) {
	t.mu.Lock()
	left := t.left
	t.mu.Unlock()
	return behind(left)
}

// look finds out how much garbage there is.
func (t *Throttle) look(ctx context.Context) error {
	u, err := t.measure(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		return err
	}
	t.known = u
	t.stuck = min(t.stuck, u.Garbage)
	t.left = min(t.left, u.Trash)
	t.interval = min(max((u.softLimit(t.stuck)-u.Garbage)/4, lookEvery), mostLookEvery)
	return nil
}

// delay says for how long n bytes are to wait, or that there is as much garbage as there may be.
func (t *Throttle) delay(n int) (delay time.Duration, full bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x := t.known.pressure(t.stuck)
	switch {
	case x <= 0:
		t.next = time.Time{}
		return 0, false
	case x >= 1:
		return 0, true
	}
	// All writers share one clock, so that their number does not matter.
	now := time.Now()
	if t.next.Before(now) {
		t.next = now
	}
	rate := halfwayRate * (1 - x) / x
	t.next = t.next.Add(time.Duration(float64(n) / rate * float64(time.Second)))
	if most := now.Add(patience); t.next.After(most) {
		t.next = most
	}
	return t.next.Sub(now), false
}

// softLimit is how much garbage slows nobody down.
func (u Usage) softLimit(stuck int64) int64 {
	return max(int64(softShare*float64(u.Live))+softRoom, stuck)
}

// pressure is where the garbage is between the soft limit, 0, and the hard one, 1.
func (u Usage) pressure(stuck int64) float64 {
	soft := float64(u.softLimit(stuck))
	hard := max(hardShare*float64(u.Live)+hardRoom, float64(stuck+stuckRoom))
	return (float64(u.Garbage) - soft) / (hard - soft)
}

// waitForProgress waits until there is less garbage than there may be, or reclaiming cannot help.
func (t *Throttle) waitForProgress(ctx context.Context) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		t.mu.Lock()
		progress, working := t.progress, t.working
		t.mu.Unlock()
		if !working {
			t.rouse()
		}
		select {
		case <-progress:
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		t.mu.Lock()
		full := t.known.pressure(t.stuck) >= 1
		t.mu.Unlock()
		if !full {
			return nil
		}
	}
}

// Began says that reclaiming is at work.
func (t *Throttle) Began() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.working = true
}

// GoesOn says that reclaiming has given something back. Who waits looks again.
func (t *Throttle) GoesOn(ctx context.Context) { t.update(ctx, false) }

// Ended says that reclaiming has given back what it could.
func (t *Throttle) Ended(ctx context.Context) { t.update(ctx, true) }

func (t *Throttle) update(ctx context.Context, ended bool) {
	err := t.look(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	if ended {
		t.working = false
		if err == nil {
			t.stuck = t.known.Garbage
			t.left = t.known.Trash
		}
	}
	close(t.progress)
	t.progress = make(chan struct{})
}
