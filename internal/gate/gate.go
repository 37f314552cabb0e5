// Package gate counts the calls to what can be closed.
package gate

import (
	"context"
	"sync"
)

// A Gate lets calls in until it is shut. The zero value is open. Its methods may be called from
// many goroutines.
type Gate struct {
	mu    sync.Mutex // guards shut, and that calls are added only while it is open
	shut  bool
	calls sync.WaitGroup
}

// Enter lets a call in, which must Leave when it is done. It refuses with ctx's error when that has
// ended, and with closed once the gate is shut.
func (g *Gate) Enter(ctx context.Context, closed error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		return closed
	}
	g.calls.Add(1)
	return nil
}

// Leave ends a call that was let in.
func (g *Gate) Leave() { g.calls.Done() }

// Shut lets no more calls in. It is true the first time.
func (g *Gate) Shut() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	first := !g.shut
	g.shut = true
	return first
}

// Wait returns when the calls that were let in are done. The gate must be shut.
func (g *Gate) Wait() { g.calls.Wait() }
