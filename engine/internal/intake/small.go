package intake

import (
	"context"
	"crypto/md5"
	"errors"
	"io"
)

// maxSmall is how many bytes a body may have for all of it to be done by its caller's goroutine: to
// hand it from one to the next takes longer than to read, digest and address so much.
const maxSmall = 16 << 10

// errGrown is what a body has failed with that was small when it was begun.
var errGrown = errors.New("it has become longer while it was read")

// isSmall says whether a body waits for nobody, and is small, and less than a chunk.
func (in *Intake) isSmall(b *Body) bool {
	return b.left != nil && b.left() <= int64(min(maxSmall, in.ChunkSize-1))
}

// takeSmall is Take of a small body.
func (in *Intake) takeSmall(ctx context.Context, b *Body) (_ *Taken, err error) {
	buf, err := in.readSmall(ctx, b)
	if err != nil {
		return nil, err
	}
	t, whole := &Taken{Size: int64(buf.n)}, false
	sum := md5.New()
	if _, err = sum.Write(buf.chunk()); err != nil || buf.n == 0 {
		in.budget.put(buf)
	} else {
		for _, d := range b.digests {
			d.Write(buf.chunk()) // a hash never fails
		}
		buf.awaited = true // by nobody: the digests have read it
		ch := &Chunk{Size: buf.n}
		t.Chunks, t.Page = 1, []*Chunk{ch}
		defer func() {
			if !whole { // an error, or a panic of the caller's progress function
				in.unpin(t.Page)
			}
		}()
		err = in.store(ctx, buf, b.Keys, ch, b.Inline)
		if err == nil && b.Progress != nil {
			b.Progress(t.Size)
		}
	}
	if err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, err
	}
	t.CombineCRC64(t.Page)
	t.MD5 = [16]byte(sum.Sum(nil))
	whole = true
	return t, nil
}

// readSmall reads a small body into a buffer, which is the caller's, and checks its size.
func (in *Intake) readSmall(ctx context.Context, b *Body) (_ *buffer, err error) {
	if err := in.Pace(ctx, int(b.left())); err != nil {
		return nil, err
	}
	buf, err := in.budget.get(ctx)
	if err != nil {
		return nil, err
	}
	var more [1]byte
	if buf.n, err = b.next(buf.space()); err == nil { // there is no room for more
		var n int
		if n, err = b.next(more[:]); n > 0 {
			err = &ReadError{errGrown}
		}
	}
	if err == io.EOF {
		err = CheckSize(int64(buf.n), b.size, b.limit)
	}
	if err != nil {
		in.budget.put(buf)
		return nil, err
	}
	return buf, nil
}
