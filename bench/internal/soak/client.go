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
	keys := rand.NewZipf(rng, 1.2, 8, uint64(w.options.Keys-1))
	return &Client{World: w, number: number, rng: rng, keys: keys}
}

// mix is how often a client does what, in the order of the draw.
var mix = [...]struct {
	share int // of 100
	name  string
	do    func(*Client, context.Context) error
}{
	{28, "put", func(c *Client, ctx context.Context) error { return c.put(ctx, drawPace(c.rng)) }},
	{9, "upload", (*Client).upload},
	{3, "copy by parts", (*Client).copyByParts},
	{6, "copy", (*Client).copy},
	{6, "list", (*Client).list},
	{24, "read", func(c *Client, ctx context.Context) error {
		return c.read(ctx, c.key(), drawPace(c.rng))
	}},
	{16, "range", (*Client).readRange},
	{8, "delete", func(c *Client, ctx context.Context) error { return c.delete(ctx, c.key()) }},
}

// Step does one thing. It reports what fails to World.Fail.
func (c *Client) Step(ctx context.Context) {
	draw := c.rng.IntN(100)
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

// size draws the size of an object, from least on.
func (c *Client) size(least int64) int64 {
	low, high := math.Log(float64(least)), math.Log(float64(c.options.Sizes.Most))
	return min(int64(math.Exp(low+c.rng.Float64()*(high-low))), c.options.Sizes.Most)
}

// pool is of how many contents duplicates are made.
const pool = 16

// content draws what a write gives its key: of some objects many have the same, some compress, and
// some are encrypted.
func (c *Client) content(id uint64, least int64) held {
	var of Content
	if c.rng.IntN(100) < 12 {
		// Its bytes and its size follow from its number, the same for all clients.
		seed := uint64(c.rng.IntN(pool))
		twin := Client{World: c.World, rng: rand.New(rand.NewPCG(c.options.Seed, seed))}
		of = Content{Seed: seed, Size: twin.size(least), Repetitive: seed%4 == 0}
	} else {
		of = Content{Seed: c.rng.Uint64() | 1<<63, Size: c.size(least), Repetitive: c.rng.IntN(4) == 0}
	}
	return c.copied(held{Content: of}, id)
}

// copied is a content after the copy id, which some encrypt. One that is encrypted as its source is
// shares its chunks.
func (c *Client) copied(source held, id uint64) held {
	switch encrypted := c.rng.IntN(5) == 0; {
	case !encrypted:
		return held{Content: source.Content}
	case source.Encrypted:
		return source
	}
	return held{source.Content, true, id}
}

// ended tells whether a call failed because its context did.
func ended(ctx context.Context, err error) bool {
	said := errors.Is(err, engine.ErrRequestTimeout) || errors.Is(err, engine.ErrIncompleteBody)
	return ctx.Err() != nil && said
}

// conclude ends a write with the error of its call, and returns the error unless it was provoked. A
// call that went well is counted as one of kind.
func (c *Client) conclude(
	ctx, call context.Context, wr *Write, kind string, begin time.Time, err error,
) error {
	switch {
	case err == nil:
		c.count(kind, begin)
		return wr.End(Done)
	case errors.Is(err, engine.ErrPreconditionFailed) || errors.Is(err, engine.ErrNoSuchKey):
		return wr.End(Refused)
	}
	provoked := ended(call, err)
	if err2 := wr.End(Unknown); err2 != nil || !provoked {
		return errors.Join(err, err2)
	}
	_, _, err = c.head(ctx, wr.key) // so that it becomes known
	return err
}

// head asks for an object's description, nil when there is no object.
func (c *Client) head(ctx context.Context, key int) (*engine.ObjectInfo, held, error) {
	l := c.model.Look()
	defer l.End()
	info, err := c.engine.HeadObject(ctx,
		&engine.HeadObjectRequest{Bucket: c.options.Bucket, Key: keyName(key)})
	switch {
	case errors.Is(err, engine.ErrNoSuchKey):
		what, err := l.Saw(key, 0)
		return nil, what, err
	case err != nil:
		return nil, held{}, err
	}
	what, err := c.see(l, key, info)
	return info, what, err
}
