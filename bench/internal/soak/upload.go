package soak

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	key   int
	name  string // its id
	id    uint64 // of the write that completing it is
	what  held
	bytes *claim // on the parts that are stored

	mu    sync.Mutex // guards the fields below
	parts []engine.CompletedPart
	last  time.Time // when the last part finished
}

// errExpired says that the engine has aborted the upload, because it was idle for so long.
var errExpired = errors.New("soak: the upload has expired")

func (c *Client) initiate(ctx context.Context, key int, id uint64, what held) (*upload, error) {
	begin := c.options.Clock()
	req := &engine.InitiateMultipartUploadRequest{Bucket: c.options.Bucket, Key: keyName(key)}
	req.Metadata = writeName(id)
	req.EncryptionRequest = encryption(what.Encrypted)
	res, err := c.engine.InitiateMultipartUpload(ctx, req)
	if err != nil {
		return nil, err
	}
	c.count("initiate", begin)
	n := int((what.Size + c.options.Part - 1) / c.options.Part)
	return &upload{
		Client: c, key: key, name: res.UploadID, id: id, what: what, bytes: c.claim(held{}),
		parts: make([]engine.CompletedPart, n), last: c.options.Clock(),
	}, nil
}

// stored takes over that a part is stored, and takes so many bytes on disk.
func (u *upload) stored(i int, etag string, bytes int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.parts[i] = engine.CompletedPart{PartNumber: i + 1, ETag: etag}
	u.last = u.options.Clock()
	u.bytes.bytes.Add(bytes)
}

// expired says so instead of err, if the engine may have aborted the upload.
func (u *upload) expired(err error) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	expiry, idle := u.options.Expiry, u.options.Clock().Sub(u.last)
	if errors.Is(err, engine.ErrNoSuchUpload) && expiry > 0 && idle >= expiry {
		return errExpired
	}
	return err
}

// span is where a part lies.
func (u *upload) span(i int) (start, size int64) {
	start = int64(i) * u.options.Part
	return start, min(u.options.Part, u.what.Size-start)
}

// upload stores an object by parts; or aborts, or leaves the upload to the engine.
func (c *Client) upload(ctx context.Context) error {
	key, id := c.key(), c.model.NewID()
	u, err := c.initiate(ctx, key, id, c.content(id, c.options.leastUpload()))
	if err != nil {
		return err
	}
	end, parts := c.rng.IntN(10), len(u.parts)
	if end < 3 {
		parts = c.rng.IntN(parts + 1)
	}
	paces := make([]pace, parts)
	for i := range paces {
		paces[i] = drawPace(c.rng)
	}
	return u.run(ctx, end, parts, func(ctx context.Context, i int) error {
		return u.part(ctx, i, paces[i])
	})
}

// run stores so many parts and ends the upload: 0 leaves it open, 1 and 2 abort, others complete
// it. One that the engine aborted is no failure, and one whose source has changed is aborted.
func (u *upload) run(
	ctx context.Context, end, parts int, part func(ctx context.Context, i int) error,
) error {
	err := fanout.Each(ctx, 1+u.rng.IntN(partsAtOnce), parts, part)
	if err == nil && end == 0 && u.leave(u.bytes, u.last) {
		return nil
	}
	defer u.drop(u.bytes)
	changed := errors.Is(err, engine.ErrPreconditionFailed) || errors.Is(err, engine.ErrNoSuchKey)
	if err == nil && end >= 3 {
		err = u.complete(ctx)
	} else if err == nil || changed {
		err = u.abort(ctx)
	}
	if errors.Is(err, errExpired) {
		return nil
	}
	return err
}

// part uploads a part. One that is cancelled is uploaded again.
func (u *upload) part(ctx context.Context, i int, p pace) error {
	start, size := u.span(i)
	if size > slowSize && p.slow() {
		p = steady
	}
	body := u.newBody(ctx, u.what.Content, start, size, p)
	defer body.end()
	begin := u.options.Clock()
	res, err := u.engine.UploadPart(body.call, &engine.UploadPartRequest{
		Bucket: u.options.Bucket, Key: keyName(u.key), UploadID: u.name, PartNumber: i + 1, Body: body,
	})
	switch {
	case err != nil && ended(body.call, err) && ctx.Err() == nil:
		body.end()
		return u.part(ctx, i, steady)
	case err != nil:
		return u.expired(err)
	}
	u.count(p.kind("part"), begin)
	u.stored(i, res.ETag, u.what.Stored(size))
	return nil
}

// complete makes the parts the object, after it has seen that all are listed.
func (u *upload) complete(ctx context.Context) error {
	if err := u.listed(ctx); err != nil {
		return u.expired(err)
	}
	wr, begin := u.model.Put(u.key, u.id, u.what), u.options.Clock()
	_, err := u.engine.CompleteMultipartUpload(ctx, &engine.CompleteMultipartUploadRequest{
		Bucket: u.options.Bucket, Key: keyName(u.key), UploadID: u.name, Parts: u.parts,
	})
	if err = u.expired(err); errors.Is(err, errExpired) {
		return errors.Join(err, wr.End(Refused))
	}
	return u.conclude(ctx, ctx, wr, "complete", begin, err)
}

// listed fails unless the upload is listed among those of its key, and with it the parts that are
// acknowledged.
func (u *upload) listed(ctx context.Context) error {
	begin, found := u.options.Clock(), false
	uploads := &engine.ListMultipartUploadsRequest{Bucket: u.options.Bucket, Prefix: keyName(u.key)}
	for up, err := range u.engine.Uploads(ctx, uploads) {
		if err != nil {
			return err
		}
		found = found || up.UploadID == u.name
	}
	if !found {
		return engine.ErrNoSuchUpload
	}
	var parts []engine.CompletedPart
	listed := &engine.ListPartsRequest{Bucket: u.options.Bucket, Key: keyName(u.key), UploadID: u.name}
	for p, err := range u.engine.Parts(ctx, listed) {
		if err != nil {
			return err
		}
		if _, size := u.span(len(parts)); p.Size != size {
			return wrongf("upload %s of write %d lists part %d of %d bytes, must be %d",
				u.name, u.id, p.PartNumber, p.Size, size)
		}
		parts = append(parts, engine.CompletedPart{PartNumber: p.PartNumber, ETag: p.ETag})
	}
	if !slices.Equal(parts, u.parts) {
		return wrongf("upload %s of write %d lists parts %v, must be %v",
			u.name, u.id, parts, u.parts)
	}
	u.count("list", begin)
	return nil
}

func (u *upload) abort(ctx context.Context) error {
	begin := u.options.Clock()
	_, err := u.engine.AbortMultipartUpload(ctx, &engine.AbortMultipartUploadRequest{
		Bucket: u.options.Bucket, Key: keyName(u.key), UploadID: u.name,
	})
	if err == nil {
		u.count("abort", begin)
	}
	return u.expired(err)
}

// copyByParts makes an object of the ranges of another one.
func (c *Client) copyByParts(ctx context.Context) error {
	from, to := c.key(), c.key()
	info, source, err := c.head(ctx, from)
	if info == nil || err != nil {
		return err
	}
	defer c.drop(c.claim(source))
	id := c.model.NewID()
	u, err := c.initiate(ctx, to, id, c.copied(held{Content: source.Content}, id))
	if err != nil {
		return err
	}
	return u.run(ctx, 3, len(u.parts), func(ctx context.Context, i int) error {
		start, size := u.span(i)
		begin := u.options.Clock()
		res, err := u.engine.UploadPartCopy(ctx, &engine.UploadPartCopyRequest{
			Bucket: u.options.Bucket, Key: keyName(u.key), UploadID: u.name, PartNumber: i + 1,
			SourceBucket: u.options.Bucket, SourceKey: info.Key,
			SourceRange: fmt.Sprintf("bytes=%d-%d", start, start+size-1),
			Conditions:  engine.Conditions{IfMatch: info.ETag},
		})
		if err != nil {
			return u.expired(err)
		}
		bytes := int64(0)
		if source.Encrypted || u.what.Encrypted { // else the chunks are found again
			bytes = u.what.Stored(size)
		}
		u.count("copy", begin)
		u.stored(i, res.ETag, bytes)
		return nil
	})
}
