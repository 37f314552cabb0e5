// Package fanout calls a function many times, several at once.
package fanout

import (
	"context"
	"sync"
	"sync/atomic"
)

// Each calls fn with 0 to n-1, in that order, from several goroutines at once. The first error ends
// the context of the other calls and is returned; so is the cause when ctx ends.
func Each(ctx context.Context, goroutines, n int, fn func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var running sync.WaitGroup
	for range min(goroutines, n) {
		running.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := fn(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	running.Wait()
	return context.Cause(ctx)
}
