package gate_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/gabion-storage/gabion/internal/gate"
)

var errClosed = errors.New("closed")

func TestGate(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	var g gate.Gate
	if err := g.Enter(ended, errClosed); !errors.Is(err, context.Canceled) {
		t.Errorf("Enter with an ended context: %v", err)
	}
	if err := g.Enter(t.Context(), errClosed); err != nil {
		t.Errorf("Enter: %v", err)
	}
	if !g.Shut() || g.Shut() {
		t.Error("Shut is not true the first time alone")
	}
	if err := g.Enter(t.Context(), errClosed); err != errClosed {
		t.Errorf("Enter of a gate that is shut: %v", err)
	}
	g.Leave()
	g.Wait()
}

// TestWait shuts a gate while a call is inside, for which Wait has to wait.
func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate.Gate
		if err := g.Enter(t.Context(), errClosed); err != nil {
			t.Fatal(err)
		}
		var over atomic.Bool
		go func() {
			g.Shut()
			g.Wait()
			over.Store(true)
		}()
		synctest.Wait()
		if over.Load() {
			t.Error("Wait returned while a call was inside")
		}
		g.Leave()
		synctest.Wait()
		if !over.Load() {
			t.Error("Wait does not return")
		}
	})
}

// TestBeside shuts a gate under many calls.
func TestBeside(t *testing.T) {
	for range 100 {
		var g gate.Gate
		var inside atomic.Int64
		var callers sync.WaitGroup
		for range 8 {
			callers.Go(func() {
				for g.Enter(context.Background(), errClosed) == nil {
					inside.Add(1)
					inside.Add(-1)
					g.Leave()
				}
			})
		}
		g.Shut()
		g.Wait()
		if n := inside.Load(); n != 0 {
			t.Errorf("%d calls are inside after Wait", n)
		}
		callers.Wait()
	}
}
