package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gabion-storage/gabion/engine"
)

// run does what the command says.
func (c *command) run(ctx context.Context) (err error) {
	o := engine.Options{Keys: c.keys, Events: &engine.Events{Alarm: func(err error) {
		fmt.Fprintln(c.told, "gabion-fleet: alarm:", err)
	}}}
	first, err := c.first.open(ctx, o)
	if err != nil {
		return err
	}
	defer closing(first, &err)
	sound := true
	if c.copies {
		if sound, err = c.pull(ctx, first, o); err != nil {
			return err
		}
	}
	second, err := c.second.open(ctx, o)
	if err != nil {
		return err
	}
	defer closing(second, &err)
	same, err := c.compare(ctx, first, second)
	if err == nil && c.copies && !c.quick {
		var whole bool
		whole, err = c.check(ctx, second)
		sound = sound && whole
	}
	if err == nil && !(same && sound) {
		err = errDiffers
	}
	return err
}

// closing closes a store. What was not closed in order is made good when it is opened again, so it
// fails the command only if nothing else has.
func closing(store io.Closer, err *error) { *err = errors.Join(*err, store.Close()) }

// pull makes the second store a copy of the first, and says whether that is sound.
func (c *command) pull(
	ctx context.Context, from *engine.Engine, o engine.Options,
) (sound bool, err error) {
	clone, err := c.second.clone(ctx, o)
	if err != nil {
		return false, err
	}
	defer closing(clone, &err)
	progress := progress{to: c.told}
	res, err := clone.Pull(ctx, from, &engine.PullRequest{Progress: progress.tell})
	if err != nil {
		return false, err
	}
	for _, p := range res.Problems {
		fmt.Fprintln(c.out, "in the first store:", p)
	}
	fmt.Fprintf(
		c.out, "copied %d chunks of %d bytes, and %d records\n", res.Chunks, res.Bytes, res.Records,
	)
	return len(res.Problems) == 0, nil
}

// A progress tells how a Pull gets on, once a second.
type progress struct {
	to   io.Writer
	last time.Time
}

func (p *progress) tell(is engine.PullProgress) {
	now := time.Now()
	if now.Sub(p.last) < time.Second {
		return
	}
	p.last = now
	pass := fmt.Sprintf("pass %d", is.Pass)
	if is.Last {
		pass = "the last pass"
	}
	fmt.Fprintf(
		p.to, "%s: looked at %d of %d chunks; copied so far: %d chunks of %d bytes, %d records\n",
		pass, is.Seen, is.Of, is.Chunks, is.Bytes, is.Records,
	)
}

// compare tells in what two stores differ, and says whether they are the same.
func (c *command) compare(ctx context.Context, first, second *engine.Engine) (bool, error) {
	res, err := engine.Compare(ctx, first, second)
	if err != nil {
		return false, err
	}
	for _, d := range res.Differences {
		fmt.Fprintln(c.out, d)
	}
	if res.More > 0 {
		fmt.Fprintf(c.out, "and %d more differences\n", res.More)
	}
	fmt.Fprintf(
		c.out, "the same in both: %d buckets, %d objects, %d uploads with %d parts, %d bytes\n",
		res.Buckets, res.Objects, res.Uploads, res.Parts, res.Bytes,
	)
	return len(res.Differences) == 0, nil
}

// check reads everything in a store, and says whether it is sound.
func (c *command) check(ctx context.Context, e *engine.Engine) (bool, error) {
	res, err := e.Check(ctx, &engine.CheckRequest{Data: true})
	if err != nil {
		return false, err
	}
	for _, p := range res.Problems {
		fmt.Fprintln(c.out, "in the second store:", p)
	}
	fmt.Fprintf(c.out, "read back %d bytes of %d chunks\n", res.Bytes, res.Chunks)
	if res.Unopened > 0 {
		fmt.Fprintf(
			c.out, "of %d parts, without their keys, only what is stored was verified\n", res.Unopened,
		)
	}
	return len(res.Problems) == 0, nil
}
