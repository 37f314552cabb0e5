package main

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"math"
	"strings"
	"time"

	"github.com/gabion-storage/gabion/bench/internal/compare"
	"github.com/gabion-storage/gabion/bench/internal/process"
	"github.com/gabion-storage/gabion/engine"
)

// verify compares content, digests and attributes of the object with the file that it was made of.
func (u *uploader) verify(ctx context.Context, f io.ReaderAt, s *summary) (err error) {
	begin := time.Now()
	get := &engine.GetObjectRequest{Bucket: bucket, Key: s.Key}
	obj, err := u.engine.GetObject(ctx, get)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, obj.Close()) }()
	object := &attentive{Reader: obj, ctx: ctx, tell: progress(u.log, "reading", s.Key, s.Size)}
	file := io.NewSectionReader(f, 0, math.MaxInt64) // to whatever the end of it is by now
	if err := compare.Readers(object, file); err != nil {
		return fmt.Errorf("object and file differ: %w", err)
	}
	took := time.Since(begin)
	s.DownSeconds, s.DownRate = took.Seconds(), process.Rate(s.Size, took)
	get.PartNumber = 1 // as large as all others but the last
	part, err := u.engine.GetObject(ctx, get)
	if err != nil {
		return err
	}
	s.PartSize = part.Selected.Length
	if err := part.Close(); err != nil {
		return err
	}
	etag, crc, err := digests(ctx, f, s.Size, s.PartSize)
	if err != nil {
		return err
	}
	var wrong []error
	expect := func(what string, got, want any) {
		if got != want {
			wrong = append(wrong, fmt.Errorf("%s is %v, must be %v", what, got, want))
		}
	}
	expect("ETag from Upload", s.ETag, etag)
	expect("ETag from GetObject", obj.ETag, etag)
	expect("CRC64 from Upload", s.CRC64, crc)
	expect("CRC64 from GetObject", obj.CRC64, crc)
	expect("size from GetObject", obj.Size, s.Size)
	expect("encryption from GetObject", obj.ServerSideEncryption, u.encryption)
	s.Parts, s.Verified = obj.Parts, len(wrong) == 0
	return errors.Join(wrong...)
}

// An attentive reader fails when its context ends, and tells how far it is.
type attentive struct {
	io.Reader
	ctx  context.Context
	tell func(done int64)
	done int64
}

func (a *attentive) Read(p []byte) (int, error) {
	if a.ctx.Err() != nil {
		return 0, context.Cause(a.ctx)
	}
	n, err := a.Reader.Read(p)
	a.done += int64(n)
	a.tell(a.done)
	return n, err
}

// digests computes what a file's ETag, by OSS's rule, and CRC-64 must be with the standard library.
func digests(
	ctx context.Context, f io.ReaderAt, size, partSize int64,
) (etag string, crc uint64, err error) {
	var etags []string
	whole := crc64.New(crc64.MakeTable(crc64.ECMA))
	for at := int64(0); at < size || at == 0; at += max(partSize, 1) {
		part := md5.New()
		section := io.NewSectionReader(f, at, min(partSize, size-at))
		if _, err := io.Copy(io.MultiWriter(whole, part), section); err != nil {
			return "", 0, err
		}
		if ctx.Err() != nil {
			return "", 0, context.Cause(ctx)
		}
		etags = append(etags, fmt.Sprintf("%X", part.Sum(nil)))
	}
	sum := md5.Sum([]byte(strings.Join(etags, "")))
	return fmt.Sprintf("%X-%d", sum, len(etags)), whole.Sum64(), nil
}
