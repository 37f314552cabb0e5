package soak

import (
	"context"
	"errors"
	"fmt"

	"github.com/gabion-storage/gabion/engine"
)

// put stores an object from one body.
func (c *Client) put(ctx context.Context, key int, p pace) error {
	content := c.content(c.options.Sizes.Least)
	if p.slow() {
		content.Size = min(content.Size, slowSize)
	}
	id := c.model.NewID()
	return c.putContent(ctx, key, id, c.what(id, content), p)
}

func (c *Client) putContent(ctx context.Context, key int, id uint64, what held, p pace) error {
	call, b := c.newBody(ctx, what.Content, 0, what.Size, p)
	req := &engine.PutObjectRequest{
		Bucket: bucket, Key: keyName(key), Body: b, Metadata: writeName(id), ServerSideEncryption: encryption(what.Encrypted),
	}
	if id%2 == 0 {
		req.Size = what.Size
	}
	wr, begin := c.model.Put(key, id, what), c.options.Clock()
	_, err := c.engine.PutObject(call, req)
	switch {
	case err == nil && p.slow():
		c.took(KindSlow, begin)
	case err == nil:
		c.took(KindPut, begin)
	}
	err = c.conclude(ctx, call, wr, err)
	c.uncount(b.settle())
	return err
}

// delete removes an object.
func (c *Client) delete(ctx context.Context, key int) error {
	wr, begin := c.model.Delete(key), c.options.Clock()
	_, err := c.engine.DeleteObject(ctx, &engine.DeleteObjectRequest{Bucket: bucket, Key: keyName(key)})
	if err == nil {
		c.took(KindDelete, begin)
	}
	return c.conclude(ctx, ctx, wr, err)
}

// copy copies an object, perhaps onto itself, under a new name of write.
func (c *Client) copy(ctx context.Context, from, to int) error {
	info, source, release, err := c.head(ctx, from)
	if release == nil {
		return err
	}
	defer release()
	id := c.model.NewID()
	what := copied(source, id, c.rng.IntN(5) == 0)
	wr, begin := c.model.Put(to, id, what), c.options.Clock()
	_, err = c.engine.CopyObject(ctx, &engine.CopyObjectRequest{
		Bucket: bucket, Key: keyName(to), SourceBucket: bucket, SourceKey: keyName(from),
		Conditions:        engine.Conditions{IfMatch: info.ETag}, // else it would not be known what is copied
		MetadataDirective: engine.DirectiveReplace, Metadata: writeName(id), ServerSideEncryption: encryption(what.Encrypted),
	})
	if err == nil {
		c.took(KindCopy, begin)
	}
	return c.conclude(ctx, ctx, wr, err)
}

// copied is a content after the copy id. A copy that is encrypted as its source shares its chunks.
func copied(source held, id uint64, encrypted bool) held {
	switch {
	case !encrypted:
		return held{Content: source.Content}
	case source.Encrypted:
		return source
	}
	return held{source.Content, true, id}
}

// list compares a page of the bucket, from a random key on.
func (c *Client) list(ctx context.Context) error {
	first, most := c.rng.IntN(c.options.Keys), 1+c.rng.IntN(100)
	return c.listPage(ctx, first, most)
}

// listPage compares the page behind the key before first. What it does not hold is absent.
func (c *Client) listPage(ctx context.Context, first, most int) error {
	req := &engine.ListObjectsRequest{Bucket: bucket, MaxKeys: most}
	if first > 0 {
		req.Marker = keyName(first - 1)
	}
	l, begin := c.model.Look(), c.options.Clock()
	defer l.End()
	page, err := c.engine.ListObjects(ctx, req)
	if err != nil {
		return err
	}
	c.took(KindList, begin)
	next := first
	absent := func(until int) error {
		for ; next < until; next++ {
			if err := l.SawNothing(next); err != nil {
				return fmt.Errorf("page from %d, %d keys, of %d: %w", first, len(page.Objects), most, err)
			}
		}
		return nil
	}
	for i := range page.Objects {
		key, err := keyNumber(page.Objects[i].Key)
		if err == nil && (key < next || key >= c.options.Keys) {
			err = wrongf("key %d is listed behind %d, of %d", key, next, c.options.Keys)
		}
		if err != nil {
			return err
		}
		if err := absent(key); err != nil {
			return err
		}
		_, release, err := c.see(l, key, &page.Objects[i])
		if err != nil {
			return err
		}
		release()
		next = key + 1
	}
	if page.IsTruncated {
		return nil
	}
	return absent(c.options.Keys)
}

// read reads a whole object. One that is cancelled is closed midway.
func (c *Client) read(ctx context.Context, key int, p pace) error {
	begin, stops := c.options.Clock(), 0
	obj, what, release, err := c.open(ctx, key, "")
	if obj == nil {
		return err
	}
	defer release()
	err = what.Compare(obj, 0, what.Size, func(done int64) error {
		if p.slow() && stops < p.stops && done >= what.Size*int64(stops)/int64(p.stops) {
			stops++
			c.options.Sleep(ctx, p.pause)
		}
		if p.cancelled() && float64(done) >= p.cancel*float64(what.Size) {
			return errCancelled
		}
		return nil
	})
	switch {
	case errors.Is(err, errCancelled):
		err = nil
	case err != nil:
		err = fmt.Errorf("reading %s: %w", describe(key, &obj.ObjectInfo), err)
	case p.slow():
		c.took(KindSlow, begin)
	default:
		c.took(KindRead, begin)
	}
	return errors.Join(err, obj.Close())
}

// readRange reads some bytes of an object.
func (c *Client) readRange(ctx context.Context, key int) error {
	// Of an object whose size is not known yet.
	start := c.size(1) - 1
	length := 1 + c.rng.Int64N(256<<10)
	begin := c.options.Clock()
	obj, what, release, err := c.open(ctx, key, fmt.Sprintf("bytes=%d-%d", start, start+length-1))
	if obj == nil {
		return err
	}
	defer release()
	length = min(length, what.Size-start)
	if at, n, _ := obj.Range(); at != start || n != length {
		err := wrongf("the range is %d bytes from %d on, must be %d from %d", n, at, length, start)
		return errors.Join(err, obj.Close())
	}
	if err := what.Compare(obj, start, length, nil); err != nil {
		return errors.Join(fmt.Errorf("reading %d bytes from %d on of %s: %w", length, start, describe(key, &obj.ObjectInfo), err), obj.Close())
	}
	c.took(KindRange, begin)
	return obj.Close()
}

func describe(key int, info *engine.ObjectInfo) string {
	return fmt.Sprintf("write %s of key %d, %d bytes, ETag %s", info.Metadata[writeHeader], key, info.Size, info.ETag)
}

// open opens an object, or a range of it. The Object is nil when there is none.
func (c *Client) open(ctx context.Context, key int, rng string) (_ *engine.Object, what held, release func(), err error) {
	l := c.model.Look()
	defer l.End()
	req := &engine.GetObjectRequest{Bucket: bucket, Key: keyName(key), Range: rng}
	if rng != "" {
		req.RangeBehavior = "standard"
	}
	obj, err := c.engine.GetObject(ctx, req)
	switch {
	case errors.Is(err, engine.ErrNoSuchKey):
		return nil, held{}, nil, l.SawNothing(key)
	case errors.Is(err, engine.ErrInvalidRange) && rng != "": // a shorter object than was hoped for
		return nil, held{}, nil, nil
	case err != nil:
		return nil, held{}, nil, err
	}
	if what, release, err = c.see(l, key, &obj.ObjectInfo); err != nil {
		return nil, held{}, nil, errors.Join(err, obj.Close())
	}
	return obj, what, release, nil
}
