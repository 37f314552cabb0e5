package soak

import "context"

// A Held is what a write gives a key.
type Held = held

// CheckRule has a rule check the values of a curve.
func CheckRule(factor, steady, slack float64, values []float64) error {
	c := curve{values: values}
	return c.check(rule{factor, steady, slack})
}

// BytesOf is what contents take.
func BytesOf(live map[Held]bool) int64 { return bytesOf(live) }

// Claim claims a content until drop is called.
func (w *World) Claim(what Held) (drop func()) {
	c := w.claim(what)
	return func() { w.drop(c) }
}

// Steps that tests choose by themselves.

func (c *Client) Delete(ctx context.Context, key int) error { return c.delete(ctx, key) }
func (c *Client) Read(ctx context.Context, key int) error   { return c.read(ctx, key, steady) }
func (c *Client) List(ctx context.Context) error            { return c.listPage(ctx, 0, 1000) }

// PutThis stores a content.
func (c *Client) PutThis(ctx context.Context, key int, content Content) error {
	return c.putContent(ctx, key, c.model.NewID(), held{Content: content}, steady)
}

// PutCancelled stores a content, and cancels the call after this share of its bytes.
func (c *Client) PutCancelled(ctx context.Context, key int, content Content, after float64) error {
	return c.putContent(ctx, key, c.model.NewID(), held{Content: content}, pace{cancelAt: after})
}

// LeaveOpen leaves an upload with all its parts open.
func (c *Client) LeaveOpen(ctx context.Context, key int, content Content) error {
	u, err := c.initiate(ctx, key, c.model.NewID(), held{Content: content})
	if err != nil {
		return err
	}
	return u.run(ctx, 0, len(u.parts), func(ctx context.Context, i int) error { return u.part(ctx, i, steady) })
}

// KeyName is the name of a key.
func KeyName(key int) string { return keyName(key) }
