package lease_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gabion-storage/gabion/engine/internal/lease"
	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/indextest"
)

// TestRandomFleet runs three processes that put, delete, read, sweep and compact what they have
// together, by the rules, while they are stopped, slow and killed at random. Nothing that is named
// or open is ever gone; and in the end nothing is left that is not named.
func TestRandomFleet(t *testing.T) {
	all := map[string]int{}
	for seed := range uint64(10) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { runFleet(t, seed, all) })
		})
	}
	t.Logf("%v", all)
	for _, what := range []string{"puts", "reads", "deletes", "swept", "moved", "removed", "lost"} {
		if all[what] == 0 {
			t.Errorf("%s: none", what)
		}
	}
}

// runFleet runs one fleet for an hour of the bubble's time, and counts what happens.
func runFleet(t *testing.T, seed uint64, happened map[string]int) {
	w := &world{
		T: t, index: indextest.Rehearsed(index.NewMemory()),
		volumes: map[uint64][]index.ChunkID{}, happened: happened,
	}
	defer func() {
		if err := w.index.Close(); err != nil {
			t.Error(err)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	var processes sync.WaitGroup
	for i := range uint64(3) {
		processes.Go(func() {
			random := rand.New(rand.NewPCG(seed, i))
			for ctx.Err() == nil {
				w.process(ctx, fmt.Sprint(i), random)
			}
		})
	}
	processes.Wait()
	w.tidy()
}

// tidy has a last process give back all that is left to give back.
func (w *world) tidy() {
	p := w.newProcess("tidy", rand.New(rand.NewPCG(0, 0)))
	if err := p.join(w.Context()); err != nil {
		w.Fatal(err)
	}
	defer func() {
		if err := p.node.Leave(context.Background()); err != nil {
			w.Error(err)
		}
	}()
	var turn *lease.Turn
	for err := lease.ErrTurnTaken; err != nil; {
		if turn, err = p.node.Take(w.Context()); err != nil && !errors.Is(err, lease.ErrTurnTaken) {
			w.Fatal(err)
		}
		time.Sleep(renews)
	}
	if err := p.round(w.Context(), turn, w.list()); err != nil {
		w.Fatal(err)
	}
	w.check()
	w.wantTidy()
}
