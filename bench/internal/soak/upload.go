package soak

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gabion-storage/gabion/bench/internal/fanout"
	"github.com/gabion-storage/gabion/engine"
)

// partsAtOnce is how many parts of one upload are under way at most.
const partsAtOnce = 3

// An upload is a multipart upload of a content.
type upload struct {
	*Client
	key  int
	name string // its id
	id   uint64 // of the write that completing it is
	what held

	mu    sync.Mutex // guards the fields below
	parts []engine.CompletedPart
	bytes int64     // that are counted as under way
	last  time.Time // when the last part finished
}

// errExpired says that the engine has aborted the upload, because it was idle for so long.
var errExpired = errors.New("soak: the upload has expired")

func (c *Client) initiate(ctx context.Context, key int, id uint64, what held) (*upload, error) {
	begin := c.options.Clock()
	res, err := c.engine.InitiateMultipartUpload(ctx, &engine.InitiateMultipartUploadRequest{
		Bucket: bucket, Key: keyName(key), Metadata: writeName(id), ServerSideEncryption: encryption(what.Encrypted),
	})
	if err != nil {
		return nil, err
	}
	c.took(KindInitiate, begin)
	n := int((what.Size + c.options.Part - 1) / c.options.Part)
	return &upload{Client: c, key: key, name: res.UploadID, id: id, what: what, parts: make([]engine.CompletedPart, n), last: c.options.Clock()}, nil
}

// expired says so instead of err, if the engine may have aborted the upload.
func (u *upload) expired(err error) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if expiry := u.options.Expiry; errors.Is(err, engine.ErrNoSuchUpload) && expiry > 0 && u.options.Clock().Sub(u.last) >= expiry {
		return errExpired
	}
	return err
}

// stored takes over a part.
func (u *upload) stored(i int, etag string, bytes int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.parts[i] = engine.CompletedPart{PartNumber: i + 1, ETag: etag}
	u.bytes += bytes
	u.last = u.options.Clock()
}

// span is where a part lies.
func (u *upload) span(i int) (start, size int64) {
	start = int64(i) * u.options.Part
	return start, min(u.options.Part, u.what.Size-start)
}

// upload stores an object by parts; or aborts, or leaves the upload to the engine.
func (c *Client) upload(ctx context.Context, key int) error {
	id := c.model.NewID()
	what := c.what(id, c.content(c.options.leastUpload()))
	u, err := c.initiate(ctx, key, id, what)
	if err != nil {
		return err
	}
	end, parts := c.rng.IntN(10), len(u.parts)
	if end < 3 {
		parts = c.rng.IntN(parts + 1)
	}
	paces := make([]pace, parts)
	for i := range paces {
		paces[i] = c.drawPace()
	}
	err = fanout.Each(ctx, 1+c.rng.IntN(partsAtOnce), parts, func(ctx context.Context, i int) error { return u.part(ctx, i, paces[i]) })
	switch {
	case err != nil:
	case end == 0 && c.mayIdle():
		c.idle.add(u.last, u.bytes)
		return nil
	case end < 3:
		return u.abort(ctx)
	default:
		err = u.complete(ctx)
	}
	return u.giveUp(ctx, err)
}

// giveUp ends an upload after an error. One that the engine aborted is no failure.
func (u *upload) giveUp(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errExpired):
		u.uncount(u.bytes)
		return nil
	case errors.Is(err, engine.ErrPreconditionFailed) || errors.Is(err, engine.ErrNoSuchKey): // the source has changed
		return u.abort(ctx)
	}
	return err
}

// part uploads a part. One that is cancelled is uploaded again.
func (u *upload) part(ctx context.Context, i int, p pace) error {
	start, size := u.span(i)
	if size > slowSize && p.slow() {
		p = steady
	}
	call, b := u.newBody(ctx, u.what.Content, start, size, p)
	begin := u.options.Clock()
	res, err := u.engine.UploadPart(call, &engine.UploadPartRequest{
		Bucket: bucket, Key: keyName(u.key), UploadID: u.name, PartNumber: i + 1, Body: b,
	})
	switch {
	case err == nil:
		kind := KindPart
		if p.slow() {
			kind = KindSlow
		}
		u.took(kind, begin)
		u.stored(i, res.ETag, b.settle())
		return nil
	case p.cancelled() && ended(call, err) && ctx.Err() == nil:
		u.uncount(b.settle())
		return u.part(ctx, i, steady)
	}
	u.uncount(b.settle())
	return u.expired(err)
}

// complete makes the parts the object, after it has seen that all are listed.
func (u *upload) complete(ctx context.Context) error {
	if err := u.listed(ctx); err != nil {
		return u.expired(err)
	}
	wr, begin := u.model.Put(u.key, u.id, u.what), u.options.Clock()
	_, err := u.engine.CompleteMultipartUpload(ctx, &engine.CompleteMultipartUploadRequest{
		Bucket: bucket, Key: keyName(u.key), UploadID: u.name, Parts: u.parts,
	})
	if err = u.expired(err); errors.Is(err, errExpired) {
		return errors.Join(err, wr.End(Refused))
	}
	if err == nil {
		u.took(KindComplete, begin)
	}
	err = u.conclude(ctx, ctx, wr, err)
	u.uncount(u.bytes)
	return err
}

// listed fails unless the upload is listed among those of its key, and with it the parts that are
// acknowledged.
func (u *upload) listed(ctx context.Context) error {
	begin, found := u.options.Clock(), false
	for up, err := range u.engine.Uploads(ctx, &engine.ListMultipartUploadsRequest{Bucket: bucket, Prefix: keyName(u.key)}) {
		if err != nil {
			return err
		}
		found = found || up.UploadID == u.name
	}
	if !found {
		return engine.ErrNoSuchUpload
	}
	i := 0
	for p, err := range u.engine.Parts(ctx, &engine.ListPartsRequest{Bucket: bucket, Key: keyName(u.key), UploadID: u.name}) {
		if err != nil {
			return err
		}
		if i == len(u.parts) {
			return wrongf("upload %s of write %d has a part %d, must have %d parts", u.name, u.id, p.PartNumber, len(u.parts))
		}
		if _, size := u.span(i); p.PartNumber != i+1 || p.Size != size || p.ETag != u.parts[i].ETag {
			return wrongf("upload %s of write %d lists part %d, %d bytes, ETag %s; must be %d, %d, %s",
				u.name, u.id, p.PartNumber, p.Size, p.ETag, i+1, size, u.parts[i].ETag)
		}
		i++
	}
	if i < len(u.parts) {
		return wrongf("upload %s of write %d lists %d parts, must be %d", u.name, u.id, i, len(u.parts))
	}
	u.took(KindList, begin)
	return nil
}

func (u *upload) abort(ctx context.Context) error {
	begin := u.options.Clock()
	_, err := u.engine.AbortMultipartUpload(ctx, &engine.AbortMultipartUploadRequest{Bucket: bucket, Key: keyName(u.key), UploadID: u.name})
	u.uncount(u.bytes)
	if err = u.expired(err); errors.Is(err, errExpired) {
		return nil
	}
	if err == nil {
		u.took(KindAbort, begin)
	}
	return err
}

// copyByParts makes an object of the ranges of another one.
func (c *Client) copyByParts(ctx context.Context, from, to int) error {
	info, source, release, err := c.head(ctx, from)
	if release == nil {
		return err
	}
	defer release()
	id := c.model.NewID()
	what := held{Content: source.Content}
	if c.rng.IntN(5) == 0 {
		what = held{source.Content, true, id}
	}
	u, err := c.initiate(ctx, to, id, what)
	if err != nil {
		return err
	}
	err = fanout.Each(ctx, 1+c.rng.IntN(partsAtOnce), len(u.parts), func(ctx context.Context, i int) error {
		return u.copyPart(ctx, i, info, source.Encrypted)
	})
	if err == nil {
		err = u.complete(ctx)
	}
	return u.giveUp(ctx, err)
}

func (u *upload) copyPart(ctx context.Context, i int, source *engine.ObjectInfo, encrypted bool) error {
	start, size := u.span(i)
	begin := u.options.Clock()
	res, err := u.engine.UploadPartCopy(ctx, &engine.UploadPartCopyRequest{
		Bucket: bucket, Key: keyName(u.key), UploadID: u.name, PartNumber: i + 1,
		SourceBucket: bucket, SourceKey: source.Key, SourceRange: fmt.Sprintf("bytes=%d-%d", start, start+size-1),
		Conditions: engine.Conditions{IfMatch: source.ETag},
	})
	if err != nil {
		return u.expired(err)
	}
	u.took(KindCopy, begin)
	bytes := int64(0)
	if encrypted || u.what.Encrypted { // else the chunks are found again
		bytes = u.what.Stored(size)
	}
	u.model.ledger.underWay.Add(bytes)
	u.stored(i, res.ETag, bytes)
	return nil
}
