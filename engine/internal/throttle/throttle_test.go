package throttle

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A world is what a throttle looks at and rouses.
type world struct {
	*Throttle
	Usage
	roused int
}

func newWorld() *world {
	w := &world{}
	w.Throttle = New(
		func(context.Context) (Usage, error) { return w.Usage, nil }, func() { w.roused++ },
	)
	return w
}

// TestThrottleSlowsDown takes in the same bytes by one writer and by many: how long that takes must
// depend on the garbage, not on them.
func TestThrottleSlowsDown(t *testing.T) {
	const total, piece = 64 << 20, 1 << 20
	took := func(live, garbage int64, writers int) (elapsed time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			x := newWorld()
			x.Live, x.Garbage = live, garbage
			began := time.Now()
			var all sync.WaitGroup
			for range writers {
				all.Go(func() {
					for range total / piece / writers {
						if err := x.Wait(t.Context(), piece); err != nil {
							t.Error(err)
						}
					}
				})
			}
			all.Wait()
			elapsed = time.Since(began)
		})
		return elapsed
	}
	const step = (hardRoom - softRoom) / 8
	last := time.Duration(0)
	for i := range 8 {
		garbage := int64(softRoom + i*step)
		one, many := took(0, garbage, 1), took(0, garbage, 16)
		if one != many {
			t.Errorf("with %d garbage one writer needs %v, many need %v", garbage, one, many)
		}
		if (one == 0) != (i == 0) || i > 1 && one <= last {
			t.Errorf("with %d garbage it takes %v, with less %v", garbage, one, last)
		}
		last = one
	}
	if d := took(1<<40, 100<<30, 4); d != 0 {
		t.Errorf("a tenth of garbage slows down by %v", d)
	}
}

// TestThrottleWaits has more garbage than there may be.
func TestThrottleWaits(t *testing.T) {
	const tooMuch = hardRoom + 1
	for name, test := range map[string]struct {
		meanwhile func(x *world, cancel func())
		want      time.Duration
		err       error
	}{
		"until there is less": {func(x *world, _ func()) {
			time.Sleep(100 * time.Millisecond)
			x.Began()
			x.GoesOn(context.Background()) // nothing yet
			time.Sleep(100 * time.Millisecond)
			x.Garbage = 0
			x.GoesOn(context.Background())
		}, 200 * time.Millisecond, nil},
		"until reclaiming ends without success": {func(x *world, _ func()) {
			time.Sleep(300 * time.Millisecond)
			x.Began()
			x.Ended(context.Background())
		}, 300 * time.Millisecond, nil},
		"until the context ends": {func(_ *world, cancel func()) {
			time.Sleep(400 * time.Millisecond)
			cancel()
		}, 400 * time.Millisecond, context.Canceled},
		"not for ever": {func(*world, func()) {}, time.Second, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newWorld()
				x.Garbage = tooMuch
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				go test.meanwhile(x, cancel)
				began := time.Now()
				err := x.Wait(ctx, 1)
				if took := time.Since(began); took != test.want || !errors.Is(err, test.err) {
					t.Errorf("it took %v, %v; want %v, %v", took, err, test.want, test.err)
				}
				if x.roused == 0 {
					t.Error("nobody was told to reclaim")
				}
				synctest.Wait()
			})
		})
	}
}

// TestThrottleLeavesWhatIsStuck: what reclaiming cannot give back slows nobody down, what comes on
// top of it does, and when it comes back after all the limits are the old ones.
func TestThrottleLeavesWhatIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newWorld()
		wait := func(garbage int64) time.Duration {
			x.Garbage = garbage
			x.GoesOn(context.Background())
			began := time.Now()
			if err := x.Wait(t.Context(), 1<<20); err != nil {
				t.Error(err)
			}
			took := time.Since(began)
			time.Sleep(time.Minute)
			return took
		}
		const stuck = 1 << 30
		x.Garbage = stuck
		x.Began()
		x.Ended(context.Background())
		if d := wait(stuck); d != 0 {
			t.Errorf("what is stuck slows down by %v", d)
		}
		if d := wait(stuck + 32<<20); d == 0 {
			t.Error("what comes on top does not slow down")
		}
		if d := wait(stuck + 65<<20); d != time.Second {
			t.Errorf("too much on top makes wait %v", d)
		}
		if d := wait(0); d != 0 {
			t.Errorf("no garbage slows down by %v", d)
		}
		if d := wait(hardRoom + 1); d != time.Second {
			t.Errorf("after what was stuck has come back, too much makes wait %v", d)
		}
	})
}

// TestThrottleInTurn has several callers write what the sweeping is behind with: with each step of
// it one of them goes on, all of them when it has caught up, and what it has left does not count.
func TestThrottleInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const callers, most = 5, 100
		x := newWorld()
		x.Trash = most + 1
		var went atomic.Int64
		goOn := func(ctx context.Context) error {
			err := x.WaitInTurn(ctx, func(left int64) (bool, error) { return x.Trash-left > most, nil })
			went.Add(1)
			return err
		}
		check := func(want int64) {
			t.Helper()
			synctest.Wait()
			if got := went.Swap(0); got != want {
				t.Errorf("%d went on, want %d", got, want)
			}
		}
		for range callers {
			go goOn(t.Context())
		}
		check(0)
		if x.roused != 1 {
			t.Errorf("the sweeping was roused %d times", x.roused)
		}
		x.Began()
		for range 2 {
			x.GoesOn(t.Context())
			check(1)
		}
		time.Sleep(patience)
		check(1) // the sweeping does not get on
		x.Trash = most
		x.GoesOn(t.Context())
		check(2)

		x.Trash = 10 * most
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := goOn(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v", err)
		}
		went.Store(0)
		go goOn(t.Context())
		check(0)
		x.Ended(t.Context()) // it has left that
		check(1)
		go goOn(t.Context())
		check(1)
		x.Trash += most + 1
		go goOn(t.Context())
		check(0)
		x.Trash = 0
		x.GoesOn(t.Context())
		check(1)
	})
}
