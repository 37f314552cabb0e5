package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/gabion-storage/gabion/engine/internal/intake"
)

// EmptyBody, as the Size of a request, says that its body is empty; 0 means that its size is not
// known. No front end passes it by accident: net/http, say, has -1 for an unknown length.
const EmptyBody int64 = math.MinInt64

// An incoming is the body of a call, or what stands for it in a copy.
type incoming struct {
	*intake.Body
	tooLarge *Error // what the call fails with when the body is longer than is allowed
}

// newIncoming is a body that is read from a reader, which may be nil.
func newIncoming(body io.Reader, size int64, progress func(int64)) *incoming {
	if body == nil {
		body = strings.NewReader("")
	}
	in := intake.FromReader(body, declared(size), MaxPartSize)
	in.Progress = progress
	return &incoming{in, ErrEntityTooLarge}
}

// declared is the size of a request as the intake says it.
func declared(size int64) int64 {
	switch size {
	case 0:
		return intake.AnySize
	case EmptyBody:
		return 0
	}
	return size
}

// take takes a body in, under a draft that gets its pages but the last. On success the caller must
// release the body.
func (e *Engine) take(ctx context.Context, in *incoming, d *draft) (*intake.Taken, error) {
	body, err := e.intake.Take(ctx, in.Body, d.add)
	if err != nil {
		return nil, ended(ctx, bodyError(err, in.tooLarge))
	}
	return body, nil
}

// checkSize compares the bytes that came with those that a request declared and those allowed.
func checkSize(got, size, limit int64) error {
	return bodyError(intake.CheckSize(got, declared(size), limit), ErrEntityTooLarge)
}

// bodyError turns what the intake says of a body into what the caller is told.
func bodyError(err error, tooLarge *Error) error {
	var read *intake.ReadError
	var size *intake.SizeError
	var memory *intake.MemoryError
	switch {
	case errors.As(err, &read):
		return ErrIncompleteBody.saying("The body failed.").with(read.Err)
	case errors.As(err, &size):
		return sizeError(size, tooLarge)
	case errors.As(err, &memory):
		return fmt.Errorf(
			"engine: no memory for a chunk buffer, within Options.MemoryBudget: %w", memory.Err,
		)
	}
	return err
}

func sizeError(e *intake.SizeError, tooLarge *Error) *Error {
	switch {
	case e.Size == 0:
		return ErrInvalidArgument.saying("The body is not empty, Size is EmptyBody.").
			about("Size", 0)
	case e.Size > 0 && e.Got > e.Size:
		return ErrInvalidArgument.saying("The body is longer than Size, which is %d.", e.Size).
			about("Size", e.Size)
	case e.Got > e.Limit:
		return tooLarge.saying(
			"The body is longer than %d bytes, the most that is allowed.", e.Limit,
		).sized(0, e.Limit)
	}
	return ErrIncompleteBody.saying("The body has %d bytes, Size is %d.", e.Got, e.Size).
		sized(e.Got, e.Size)
}

// ended makes sure that an error of a context that has ended shows that: the caller may have ended
// it with a cause of its own.
func ended(ctx context.Context, err error) error {
	if e := ctx.Err(); err != nil && e != nil && !errors.Is(err, e) {
		return fmt.Errorf("%w: %w", e, err)
	}
	return err
}
