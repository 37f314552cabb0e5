package main

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"hash"
	"hash/crc64"
	"io"
	"runtime"
	"strings"
	"time"

	"github.com/gabion-storage/gabion/bench/internal/fanout"
	"github.com/gabion-storage/gabion/engine"
)

const copySize = 1 << 20 // bytes read at once

// A verifier compares an object with the file that it was made of.
type verifier struct {
	engine     *engine.Engine
	job        job
	file       io.ReaderAt
	up         *uploaded
	encryption string // that the object must have
	out        *console
}

// verify checks content, digests and attributes. It returns how long reading the content took.
func (v *verifier) verify(ctx context.Context) (down time.Duration, err error) {
	begin := time.Now()
	obj, err := v.engine.GetObject(ctx, &engine.GetObjectRequest{Bucket: bucket, Key: v.job.key})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, obj.Close()) }()
	if err := v.compareContent(ctx, obj); err != nil {
		return 0, err
	}
	down = time.Since(begin)
	want, err := v.digestFile(ctx)
	if err != nil {
		return 0, err
	}
	return down, v.checkAttributes(obj, want)
}

func (v *verifier) compareContent(ctx context.Context, obj io.Reader) (err error) {
	bar := startProgress(v.out, "reading "+v.job.key, v.job.plan.size)
	defer func() { bar.finish(err) }()
	return compare(ctx, obj, all(v.file), bar.add)
}

// compare reads both to the end and fails at the first difference. progress may be nil.
func compare(ctx context.Context, object, file io.Reader, progress func(n int64)) error {
	got, want := make([]byte, copySize), make([]byte, copySize)
	for offset := int64(0); ; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, err := object.Read(got)
		m, fileErr := io.ReadFull(file, want[:n])
		if !bytes.Equal(got[:m], want[:m]) {
			i := firstDifference(got[:m], want[:m])
			return fmt.Errorf("object and file differ, first at offset %d: %#02x in the object, %#02x in the file", offset+int64(i), got[i], want[i])
		}
		offset += int64(m)
		switch {
		case fileErr == io.EOF || fileErr == io.ErrUnexpectedEOF:
			return fmt.Errorf("object and file differ: the file ends at offset %d, the object goes on", offset)
		case fileErr != nil:
			return fmt.Errorf("reading the file at offset %d: %w", offset, fileErr)
		case err == io.EOF:
			return compareEnd(file, offset)
		case err != nil:
			return fmt.Errorf("reading the object at offset %d: %w", offset, err)
		}
		if progress != nil {
			progress(int64(n))
		}
	}
}

// compareEnd checks that the file ends where the object does.
func compareEnd(file io.Reader, offset int64) error {
	switch _, err := io.ReadFull(file, make([]byte, 1)); err {
	case io.EOF:
		return nil
	case nil:
		return fmt.Errorf("object and file differ: the object ends at offset %d, the file goes on", offset)
	default:
		return fmt.Errorf("reading the file at offset %d: %w", offset, err)
	}
}

// firstDifference returns the index of the first byte in which a and b, of one length, differ. They
// do differ.
func firstDifference(a, b []byte) int {
	i := 0
	for a[i] == b[i] {
		i++
	}
	return i
}

// digests are what bench computes of a file by itself.
type digests struct {
	partETags []string
	crc64     uint64
}

// digestFile computes the digests of the file, those of several parts at once.
func (v *verifier) digestFile(ctx context.Context) (d digests, err error) {
	bar := startProgress(v.out, "digesting "+v.job.key, v.job.plan.size)
	defer func() { bar.finish(err) }()
	d.partETags = make([]string, v.job.plan.parts)
	// First the CRC, which is of the whole file and takes longest; then the parts.
	err = fanout.Each(ctx, runtime.GOMAXPROCS(0), 1+v.job.plan.parts, func(ctx context.Context, i int) error {
		if i == 0 {
			h := crc64.New(crc64.MakeTable(crc64.ECMA))
			err := digest(ctx, h, all(v.file), nil)
			d.crc64 = h.Sum64()
			return err
		}
		h := md5.New()
		offset, length := v.job.plan.part(i - 1)
		err := digest(ctx, h, io.NewSectionReader(v.file, offset, length), bar.add)
		d.partETags[i-1] = fmt.Sprintf("%X", h.Sum(nil))
		return err
	})
	return d, err
}

// digest writes all of r into h. progress may be nil.
func digest(ctx context.Context, h hash.Hash, r io.Reader, progress func(n int64)) error {
	buf := make([]byte, copySize)
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, err := r.Read(buf)
		h.Write(buf[:n]) // never fails
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if progress != nil {
			progress(int64(n))
		}
	}
}

// multipartETag is OSS's ETag of an object: the MD5 over the text of the part ETags, and their
// number.
func multipartETag(partETags []string) string {
	return fmt.Sprintf("%X-%d", md5.Sum([]byte(strings.Join(partETags, ""))), len(partETags))
}

// checkAttributes compares what the engine said, at every step, with what the file is. It reports
// all that differs.
func (v *verifier) checkAttributes(obj *engine.Object, want digests) error {
	etag, done := multipartETag(want.partETags), v.up.object
	var wrong []error
	expect := func(what string, got, want any) {
		if got != want {
			wrong = append(wrong, fmt.Errorf("%s is %v, must be %v", what, got, want))
		}
	}
	for i, partETag := range want.partETags {
		expect(fmt.Sprintf("ETag of part %d", i+1), v.up.partETags[i], partETag)
	}
	expect("ETag from Complete", done.ETag, etag)
	expect("ETag from GetObject", obj.ETag, etag)
	expect("CRC64 from Complete", done.CRC64, want.crc64)
	expect("CRC64 from GetObject", obj.CRC64, want.crc64)
	expect("size from Complete", done.Size, v.job.plan.size)
	expect("size from GetObject", obj.Size, v.job.plan.size)
	expect("encryption from GetObject", obj.ServerSideEncryption, v.encryption)
	return errors.Join(wrong...)
}
