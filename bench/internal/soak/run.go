package soak

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/gabion-storage/gabion/bench/internal/fanout"
	"github.com/gabion-storage/gabion/engine"
)

// fillers is how many objects are put at once before the clients begin.
const fillers = 8

// eachKey calls do with every key, several at once.
func (w *World) eachKey(ctx context.Context, do func(ctx context.Context, key int) error) error {
	return fanout.Each(ctx, min(fillers, w.options.Clients), w.options.Keys, do)
}

// Fill puts most keys once, so that what is live is about what it will stay: else it would grow for
// as long as rare keys take to be drawn.
func (w *World) Fill(ctx context.Context) error {
	err := w.eachKey(ctx, func(ctx context.Context, key int) error {
		c := &Client{World: w, rng: rand.New(rand.NewPCG(w.options.Seed, 1<<32|uint64(key)))}
		if c.rng.IntN(5) == 0 { // about what deletions will leave absent
			return nil
		}
		least := w.options.Sizes.Least
		if c.rng.IntN(5) == 0 { // as large as uploads by parts are
			least = w.options.leastUpload()
		}
		id := w.model.NewID()
		return c.putContent(ctx, key, id, c.content(id, least), steady)
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.took)
	w.began = w.options.Clock()
	w.sampled = w.began
	return err
}

// Run has all clients make calls until stop is closed, ctx ends or something fails or has failed. At every tick
// take gets a sample.
func (w *World) Run(
	ctx context.Context, stop <-chan struct{}, ticks <-chan time.Time, take func(Sample) error,
) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w.mu.Lock()
	w.onFail = cancel
	if w.failure != nil {
		cancel(w.failure)
	}
	w.mu.Unlock()
	over := make(chan struct{})
	var clients sync.WaitGroup
	for i := range w.options.Clients {
		c := w.NewClient(i)
		clients.Go(func() {
			for ctx.Err() == nil {
				select {
				case <-over:
					return
				default:
					c.Step(ctx)
				}
			}
		})
	}
	for running := true; running; {
		select {
		case <-ticks:
			sample, err := w.Sample(ctx)
			if err == nil {
				err = take(sample)
			}
			if err != nil && ctx.Err() == nil {
				w.Fail(fmt.Errorf("sampling: %w", err))
			}
		case <-stop:
			running = false
		case <-ctx.Done():
			running = false
		}
	}
	close(over)
	clients.Wait()
	if err := w.Failure(); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// Settle reads every object once more, now that nobody writes, compares the listing, and has the
// space of what is dead given back.
func (w *World) Settle(ctx context.Context) error {
	err := w.eachKey(ctx, func(ctx context.Context, key int) error {
		return w.NewClient(0).read(ctx, key, steady)
	})
	for first := 0; first < w.options.Keys && err == nil; first += 1000 {
		err = w.NewClient(0).listPage(ctx, first, 1000)
	}
	if err != nil {
		return fmt.Errorf("at the end: %w", err)
	}
	_, err = w.engine.Reclaim(ctx, &engine.ReclaimRequest{})
	return err
}

// Check has the engine check itself, every byte.
func (w *World) Check(ctx context.Context) error {
	res, err := w.engine.Check(ctx, &engine.CheckRequest{Data: true})
	if err != nil {
		return err
	}
	for _, p := range res.Problems[:min(len(res.Problems), 20)] {
		err = errors.Join(err, fmt.Errorf("Check: %v", p))
	}
	return err
}
