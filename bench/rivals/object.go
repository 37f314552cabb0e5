package main

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"hash"
	"time"

	"github.com/gabion-storage/gabion/bench/internal/fanout"
)

// An object is what is stored, and what must come of it.
type object struct {
	key   string
	parts [][]byte
	etag  string
	size  int64
}

// newObject computes the ETag by S3's rule, with the standard library.
func newObject(key string, parts [][]byte) (object, error) {
	o := object{key: key, parts: parts}
	etags := make([]string, len(parts))
	for i, part := range parts {
		sum := md5.Sum(part)
		etags[i] = hex.EncodeToString(sum[:])
		o.size += int64(len(part))
	}
	var err error
	o.etag, err = multipartETag(etags)
	return o, err
}

// upload stores the object by a whole cycle, several parts at once, and returns how long that took.
func (o *object) upload(ctx context.Context, s store, parallel int) (time.Duration, error) {
	etags := make([]string, len(o.parts))
	begin := time.Now()
	id, err := s.initiate(ctx, o.key)
	if err != nil {
		return 0, fmt.Errorf("initiate: %w", err)
	}
	err = fanout.Each(ctx, parallel, len(o.parts), func(ctx context.Context, i int) (err error) {
		if etags[i], err = s.uploadPart(ctx, o.key, id, i+1, o.parts[i]); err != nil {
			return fmt.Errorf("part %d: %w", i+1, err)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	etag, err := s.complete(ctx, o.key, id, etags)
	took := time.Since(begin)
	if err != nil {
		return 0, fmt.Errorf("complete: %w", err)
	}
	if etag != o.etag {
		return 0, fmt.Errorf("the ETag is %s, must be %s", etag, o.etag)
	}
	return took, nil
}

// verify reads the object once and compares the MD5 of all its bytes.
func (o *object) verify(ctx context.Context, s store) error {
	got, want := md5.New(), md5.New()
	for _, part := range o.parts {
		want.Write(part)
	}
	if err := s.download(ctx, o.key, newSink(got)); err != nil {
		return fmt.Errorf("download: %w", err)
	}
	if sum(got) != sum(want) {
		return fmt.Errorf("what came back has MD5 %s, must be %s", sum(got), sum(want))
	}
	return nil
}

func sum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

// downloads reads the whole object several times at once, and returns how long that took.
func (o *object) downloads(ctx context.Context, s store, readers int) (time.Duration, error) {
	sinks := make([]*sink, readers)
	for i := range sinks {
		sinks[i] = newSink(nil)
	}
	begin := time.Now()
	err := fanout.Each(ctx, readers, readers, func(ctx context.Context, i int) error {
		return s.download(ctx, o.key, sinks[i])
	})
	took := time.Since(begin)
	if err != nil {
		return 0, fmt.Errorf("download: %w", err)
	}
	for _, sink := range sinks {
		if sink.n != o.size {
			return 0, fmt.Errorf("download: %d bytes came, must be %d", sink.n, o.size)
		}
	}
	return took, nil
}
