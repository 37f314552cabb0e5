package engine

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/gabion-storage/gabion/engine/internal/intake"
)

// checkSourceNames checks the names of the source of a copy.
func checkSourceNames(bucket, key string) error {
	if bucket == "" || key == "" {
		return ErrInvalidArgument.saying(
			"Copy Source must mention the source bucket and key: /sourcebucket/sourcekey.",
		).ec("0042-00000302").about("SourceKey", "/"+bucket+"/"+key)
	}
	return checkBucketName(bucket)
}

// openSource opens the source of a copy. rules are the target's.
func (e *Engine) openSource(
	ctx context.Context, c *call, from objectRef, rules ruleSet,
) (*openedObject, error) {
	src, err := e.openObject(ctx, c, from)
	if err != nil {
		return nil, rules.copyCondition(from.asSource(err))
	}
	return src, nil
}

// asSource makes an error say that it is about the source; else it would look like the target's.
// The message stays the service's, which clients compare.
func (ref *objectRef) asSource(err error) error {
	for _, missing := range []*Error{ErrNoSuchBucket, ErrNoSuchKey} {
		if errors.Is(err, missing) {
			return missing.with(
				fmt.Errorf("it is the source, %s/%s", plain(ref.bucket), plain(ref.key)),
			)
		}
	}
	return err
}

// incoming reads a span of the source. It keeps to the boundaries of the source's chunks, so that
// they are found to be stored already. ctx ends the reading.
func (s *openedObject) incoming(ctx context.Context, sp span) *incoming {
	at, end := sp.start, sp.start+sp.length
	var data chunkData
	next := func(space []byte) (int, error) {
		if at == end {
			return 0, io.EOF
		}
		if !data.covers(at) {
			if err := s.decode(ctx, at, &data); err != nil {
				return 0, err
			}
		}
		n := copy(space, data.from(at)[:min(int64(len(data.from(at))), end-at)])
		if at += int64(n); at == end {
			return n, io.EOF
		}
		return n, nil
	}
	return &incoming{intake.FromStore(next, sp.length, MaxPartSize), ErrEntityTooLarge}
}
