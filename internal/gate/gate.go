// Package gate counts the calls to what can be closed.
package gate

import (
	"context"
	"sync"
	"sync/atomic"
)

// A Gate lets calls in until it is shut. The zero value is open. Its methods may be called from
// many goroutines. Calls do not wait for each other: whoever is put to sleep behind a lock for a
// moment is woken up behind all others that run.
type Gate struct {
	state atomic.Int64  // calls that are inside, and shut
	mu    sync.Mutex    // held by Shut
	empty chan struct{} // made before the gate is shut; closed when it is and the last call has left
}

const shut = 1 << 62

// Enter lets a call in, which must Leave when it is done. It refuses with ctx's error when that has
// ended, and with closed once the gate is shut.
func (g *Gate) Enter(ctx context.Context, closed error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for {
		now := g.state.Load()
		if now&shut != 0 {
			return closed
		}
		if g.state.CompareAndSwap(now, now+1) {
			return nil
		}
	}
}

// Leave ends a call that was let in.
func (g *Gate) Leave() {
	if g.state.Add(-1) == shut { // once: nobody enters any more
		close(g.empty)
	}
}

// Shut lets no more calls in. It is true the first time.
func (g *Gate) Shut() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.state.Load()&shut != 0 {
		return false
	}
	g.empty = make(chan struct{})
	if g.state.Or(shut) == 0 {
		close(g.empty)
	}
	return true
}

// Wait returns when the calls that were let in are done. The gate must be shut.
func (g *Gate) Wait() { <-g.empty }
