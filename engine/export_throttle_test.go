package engine

import "context"

// A TestThrottle is a throttle whose garbage the test decides on.
type TestThrottle struct {
	t             *throttle
	Live, Garbage int64
	Roused        int
}

func NewTestThrottle() *TestThrottle {
	x := &TestThrottle{}
	x.t = newThrottle(func(context.Context) (usage, error) { return usage{x.Live, x.Garbage}, nil }, func() { x.Roused++ })
	return x
}

func (x *TestThrottle) Wait(ctx context.Context, n int) error { return x.t.wait(ctx, n) }
func (x *TestThrottle) Began()                                { x.t.began() }
func (x *TestThrottle) GoesOn()                               { x.t.goesOn(context.Background()) }
func (x *TestThrottle) Ended()                                { x.t.ended(context.Background()) }

// The limits without anything that lives.
const (
	SoftRoom = softRoom
	HardRoom = hardRoom
)
