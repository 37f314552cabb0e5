package soak

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/gabion-storage/gabion/engine"
)

// A Kind is what latencies are told apart by.
type Kind string

// The kinds of calls. Slow bodies and readers, which wait by themselves, are a kind of their own.
const (
	KindPut      Kind = "put"
	KindInitiate Kind = "initiate"
	KindPart     Kind = "part"
	KindComplete Kind = "complete"
	KindAbort    Kind = "abort"
	KindCopy     Kind = "copy"
	KindList     Kind = "list"
	KindRead     Kind = "read"
	KindRange    Kind = "range"
	KindDelete   Kind = "delete"
	KindSlow     Kind = "slow"
)

// Kinds are all kinds, in the order in which they are shown.
var Kinds = [...]Kind{KindPut, KindInitiate, KindPart, KindComplete, KindAbort, KindCopy, KindList, KindRead, KindRange, KindDelete, KindSlow}

// A Client makes one call after another. It is for use by one goroutine.
type Client struct {
	*World
	number int
	rng    *rand.Rand
	keys   *rand.Zipf
}

// NewClient makes the client of a number. What it does follows from Options.Seed and the number.
func (w *World) NewClient(number int) *Client {
	rng := rand.New(rand.NewPCG(w.options.Seed, uint64(number)))
	return &Client{World: w, number: number, rng: rng, keys: rand.NewZipf(rng, 1.2, 8, uint64(w.options.Keys-1))}
}

// mix is how often a client does what, in the order of the draw.
var mix = [...]struct {
	share int // of the sum of all
	name  string
	do    func(*Client, context.Context) error
}{
	{28, "put", func(c *Client, ctx context.Context) error { return c.put(ctx, c.key(), c.drawPace()) }},
	{9, "upload", func(c *Client, ctx context.Context) error { return c.upload(ctx, c.key()) }},
	{3, "copy by parts", func(c *Client, ctx context.Context) error { return c.copyByParts(ctx, c.key(), c.key()) }},
	{6, "copy", func(c *Client, ctx context.Context) error { return c.copy(ctx, c.key(), c.key()) }},
	{6, "list", (*Client).list},
	{24, "read", func(c *Client, ctx context.Context) error { return c.read(ctx, c.key(), c.drawPace()) }},
	{16, "range", func(c *Client, ctx context.Context) error { return c.readRange(ctx, c.key()) }},
	{8, "delete", func(c *Client, ctx context.Context) error { return c.delete(ctx, c.key()) }},
}

// Step does one thing. It reports what fails to World.Fail.
func (c *Client) Step(ctx context.Context) {
	sum := 0
	for _, m := range mix {
		sum += m.share
	}
	draw := c.rng.IntN(sum)
	for _, m := range mix {
		if draw -= m.share; draw < 0 {
			if err := m.do(c, ctx); err != nil && ctx.Err() == nil {
				c.Fail(fmt.Errorf("client %d, %s: %w", c.number, m.name, err))
			}
			return
		}
	}
}

func (c *Client) key() int { return int(c.keys.Uint64()) }

func (c *Client) drawPace() pace { return drawPace(c.rng) }

// size draws the size of an object, from least on.
func (c *Client) size(least int64) int64 {
	low, high := math.Log(float64(least)), math.Log(float64(c.options.Sizes.Most))
	return min(int64(math.Exp(low+c.rng.Float64()*(high-low))), c.options.Sizes.Most)
}

// pool is of how many contents duplicates are made.
const pool = 16

// content draws what to write: of some objects many have the same, and some compress.
func (c *Client) content(least int64) Content {
	if c.rng.IntN(100) < 12 {
		// Its bytes and its size follow from its number, the same for all clients.
		seed := uint64(c.rng.IntN(pool))
		twin := Client{World: c.World, rng: rand.New(rand.NewPCG(c.options.Seed, seed))}
		return Content{Seed: seed, Size: twin.size(least), Repetitive: seed%4 == 0}
	}
	return Content{Seed: c.rng.Uint64() | 1<<63, Size: c.size(least), Repetitive: c.rng.IntN(4) == 0}
}

// what draws what a write gives its key.
func (c *Client) what(id uint64, content Content) held {
	if c.rng.IntN(5) == 0 {
		return held{content, true, id}
	}
	return held{Content: content}
}

// took records how long a call took that went well.
func (c *Client) took(kind Kind, begin time.Time) {
	c.latencies.add(kind, c.options.Clock().Sub(begin))
}

// ended tells whether a call failed because its context did.
func ended(ctx context.Context, err error) bool {
	return ctx.Err() != nil && (errors.Is(err, engine.ErrRequestTimeout) || errors.Is(err, engine.ErrIncompleteBody))
}

// conclude ends a write with the error of its call, and returns the error unless it was provoked.
func (c *Client) conclude(ctx, call context.Context, wr *Write, err error) error {
	switch {
	case err == nil:
		return wr.End(Done)
	case errors.Is(err, engine.ErrPreconditionFailed) || errors.Is(err, engine.ErrNoSuchKey):
		return wr.End(Refused)
	}
	provoked := ended(call, err)
	if err2 := wr.End(Unknown); err2 != nil || !provoked {
		return errors.Join(err, err2)
	}
	return c.look(ctx, wr.key) // so that it becomes known
}

// look asks for an object's description.
func (c *Client) look(ctx context.Context, key int) error {
	_, _, release, err := c.head(ctx, key)
	if release != nil {
		release()
	}
	return err
}

// head asks for an object's description. release is nil when there is no object.
func (c *Client) head(ctx context.Context, key int) (info *engine.ObjectInfo, what held, release func(), err error) {
	l := c.model.Look()
	defer l.End()
	info, err = c.engine.HeadObject(ctx, &engine.HeadObjectRequest{Bucket: bucket, Key: keyName(key)})
	if errors.Is(err, engine.ErrNoSuchKey) {
		return nil, held{}, nil, l.SawNothing(key)
	}
	if err != nil {
		return nil, held{}, nil, err
	}
	what, release, err = c.see(l, key, info)
	return info, what, release, err
}
