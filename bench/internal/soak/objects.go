package soak

import (
	"context"
	"errors"
	"fmt"

	"github.com/gabion-storage/gabion/engine"
)

// put stores an object from one body.
func (c *Client) put(ctx context.Context, p pace) error {
	key, id := c.key(), c.model.NewID()
	what := c.content(id, c.options.Sizes.Least)
	if p.slow() {
		what.Size = min(what.Size, slowSize)
	}
	return c.putContent(ctx, key, id, what, p)
}

func (c *Client) putContent(
	ctx context.Context, key int, id uint64, what held, p pace,
) error {
	body := c.newBody(ctx, what.Content, 0, what.Size, p)
	defer body.end()
	req := &engine.PutObjectRequest{Bucket: c.options.Bucket, Key: keyName(key), Body: body}
	req.Metadata = writeName(id)
	req.EncryptionRequest = encryption(what.Encrypted)
	if id%2 == 0 {
		req.Size = what.Size
	}
	wr, begin := c.model.Put(key, id, what), c.options.Clock()
	_, err := c.engine.PutObject(body.call, req)
	return c.conclude(ctx, body.call, wr, p.kind("put"), begin, err)
}

// delete removes an object.
func (c *Client) delete(ctx context.Context, key int) error {
	wr, begin := c.model.Delete(key), c.options.Clock()
	_, err := c.engine.DeleteObject(ctx,
		&engine.DeleteObjectRequest{Bucket: c.options.Bucket, Key: keyName(key)})
	return c.conclude(ctx, ctx, wr, "delete", begin, err)
}

// copy copies an object, perhaps onto itself, under a new name of write.
func (c *Client) copy(ctx context.Context) error {
	from, to := c.key(), c.key()
	info, source, err := c.head(ctx, from)
	if info == nil || err != nil {
		return err
	}
	defer c.drop(c.claim(source))
	id := c.model.NewID()
	what := c.copied(source, id)
	req := &engine.CopyObjectRequest{
		Bucket: c.options.Bucket, Key: keyName(to),
		SourceBucket: c.options.Bucket, SourceKey: keyName(from),
		MetadataDirective: engine.DirectiveReplace,
	}
	req.IfMatch = info.ETag // else it would not be known what is copied
	req.Metadata = writeName(id)
	req.EncryptionRequest = encryption(what.Encrypted)
	wr, begin := c.model.Put(to, id, what), c.options.Clock()
	_, err = c.engine.CopyObject(ctx, req)
	return c.conclude(ctx, ctx, wr, "copy", begin, err)
}

// list compares a page of the bucket, from a random key on.
func (c *Client) list(ctx context.Context) error {
	first, most := c.rng.IntN(c.options.Keys), 1+c.rng.IntN(100)
	return c.listPage(ctx, first, most)
}

// listPage compares the page behind the key before first. What it does not hold is absent.
func (c *Client) listPage(ctx context.Context, first, most int) error {
	req := &engine.ListObjectsRequest{Bucket: c.options.Bucket, MaxKeys: most}
	if first > 0 {
		req.Marker = keyName(first - 1)
	}
	l, begin := c.model.Look(), c.options.Clock()
	defer l.End()
	page, err := c.engine.ListObjects(ctx, req)
	if err != nil {
		return err
	}
	c.count("list", begin)
	listed := page.Objects
	for key := first; key < c.options.Keys && (len(listed) > 0 || !page.IsTruncated); key++ {
		if len(listed) > 0 && listed[0].Key == keyName(key) {
			_, err = c.see(l, key, &listed[0])
			listed = listed[1:]
		} else {
			_, err = l.Saw(key, 0)
		}
		if err != nil {
			return fmt.Errorf("page from %d, %d keys, of %d: %w", first, len(page.Objects), most, err)
		}
	}
	if len(listed) > 0 {
		return wrongf("%q is listed, which is no key, or not in order", listed[0].Key)
	}
	return nil
}

// read reads a whole object. One that is cancelled is closed midway.
func (c *Client) read(ctx context.Context, key int, p pace) error {
	return c.readPart(ctx, key, 0, -1, p, p.kind("read"))
}

// readRange reads some bytes of an object whose size is not known yet.
func (c *Client) readRange(ctx context.Context) error {
	return c.readPart(ctx, c.key(), c.size(1)-1, 1+c.rng.Int64N(256<<10), steady, "range")
}

// readPart reads so many bytes of an object from start on, or all of them if length is negative.
func (c *Client) readPart(
	ctx context.Context, key int, start, length int64, p pace, kind string,
) (err error) {
	req := &engine.GetObjectRequest{Bucket: c.options.Bucket, Key: keyName(key)}
	req.RangeBehavior = engine.RangeStandard
	if length >= 0 {
		req.Range = fmt.Sprintf("bytes=%d-%d", start, start+length-1)
	}
	l, begin := c.model.Look(), c.options.Clock()
	defer l.End()
	obj, err := c.engine.GetObject(ctx, req)
	switch {
	case errors.Is(err, engine.ErrNoSuchKey):
		_, err := l.Saw(key, 0)
		return err
	case errors.Is(err, engine.ErrInvalidRange) && length >= 0: // a shorter object than was hoped for
		return nil
	case err != nil:
		return err
	}
	defer func() { err = errors.Join(err, obj.Close()) }()
	what, err := c.see(l, key, &obj.ObjectInfo)
	if err != nil {
		return err
	}
	defer c.drop(c.claim(what))
	l.End() // the model can forget again
	if length < 0 || length > what.Size-start {
		length = what.Size - start
	}
	if s := obj.Selected; req.Range != "" && (s == nil || s.Start != start || s.Length != length) {
		return wrongf("the range is %+v, must be %d bytes from %d on", s, length, start)
	}
	body := c.newStream(ctx, obj, length, p)
	defer body.end()
	switch err := what.Compare(body, start, length); {
	case errors.Is(err, errCancelled):
		return nil
	case err != nil:
		return fmt.Errorf("reading %d bytes from %d on of write %s of key %d, %d bytes, ETag %s: %w",
			length, start, obj.Metadata[writeHeader], key, what.Size, obj.ETag, err)
	}
	c.count(kind, begin)
	return nil
}
