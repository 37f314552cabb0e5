package gocloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/gabion-storage/gabion/engine"
	"gocloud.dev/blob/driver"
)

// A reader reads an object, or a range of it, until its context ends.
type reader struct {
	ctx    context.Context
	object *engine.Object
	body   io.Reader // the object, or nothing if nothing of it is wanted
}

func (b *bucket) NewRangeReader(
	ctx context.Context, key string, offset, length int64, opts *driver.ReaderOptions,
) (driver.Reader, error) {
	req := &engine.GetObjectRequest{
		Bucket: b.name, Key: key, SSECustomerKey: b.encryption.SSECustomerKey,
		Range: rangeOf(offset, length), RangeBehavior: engine.RangeStandard,
	}
	if err := before(opts.BeforeRead, req); err != nil {
		return nil, err
	}
	object, err := b.engine.GetObject(ctx, req)
	nothing := length == 0
	if errors.Is(err, engine.ErrInvalidRange) { // at the end of the object, or behind it
		nothing, req.Range = true, ""
		object, err = b.engine.GetObject(ctx, req)
	}
	if err != nil {
		return nil, err
	}
	r := &reader{ctx: ctx, object: object, body: object}
	if nothing {
		r.body = strings.NewReader("")
	}
	return r, nil
}

// rangeOf is the HTTP range of bytes from offset on; "" stands for all. length may be negative: up
// to the end.
func rangeOf(offset, length int64) string {
	last := offset + length - 1
	switch {
	case length == 0, offset == 0 && length < 0:
		return ""
	case length < 0, last < offset: // more than there can be
		return fmt.Sprintf("bytes=%d-", offset)
	}
	return fmt.Sprintf("bytes=%d-%d", offset, last)
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.body.Read(p)
}

func (r *reader) Attributes() *driver.ReaderAttributes {
	return &driver.ReaderAttributes{
		ContentType: r.object.ContentType, ModTime: r.object.LastModified, Size: r.object.Size,
	}
}

func (r *reader) As(target any) bool { return as(r.object)(target) }

func (r *reader) Close() error { return r.object.Close() }
