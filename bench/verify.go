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
	"math"
	"runtime"
	"strings"
	"time"

	"github.com/gabion-storage/gabion/bench/internal/contest"
	"github.com/gabion-storage/gabion/bench/internal/fanout"
	"github.com/gabion-storage/gabion/engine"
)

const copySize = 1 << 20 // bytes read at once

// verify compares content, digests and attributes of the object with the file that it was made of.
func (u *uploader) verify(ctx context.Context, f io.ReaderAt, s *summary) (err error) {
	begin := time.Now()
	obj, err := u.engine.GetObject(ctx, &engine.GetObjectRequest{Bucket: bucket, Key: s.Key})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, obj.Close()) }()
	// To whatever the end of the file is by now.
	if err := compare(ctx, obj, io.NewSectionReader(f, 0, math.MaxInt64), progress(u.log, "reading", s.Key, s.Size)); err != nil {
		return err
	}
	took := time.Since(begin)
	s.DownSeconds, s.DownRate = took.Seconds(), contest.Rate(s.Size, took)
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
	expect("encryption from GetObject", string(obj.ServerSideEncryption), u.encryption)
	s.Parts, s.PartSize, s.Verified = obj.Parts, min(s.PartSize, s.Size), len(wrong) == 0
	return errors.Join(wrong...)
}

// compare reads both to the end and fails at the first difference. progress is told the bytes so
// far.
func compare(ctx context.Context, object, file io.Reader, progress func(done int64)) error {
	got, want := make([]byte, copySize), make([]byte, copySize)
	for offset := int64(0); ; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, err := io.ReadFull(object, got)
		m, fileErr := io.ReadFull(file, want)
		both := min(n, m)
		if !bytes.Equal(got[:both], want[:both]) {
			i := 0
			for got[i] == want[i] {
				i++
			}
			return fmt.Errorf("object and file differ, first at offset %d: %#02x in the object, %#02x in the file",
				offset+int64(i), got[i], want[i])
		}
		at := offset + int64(both)
		progress(at)
		switch ended, fileEnded := isEnd(err), isEnd(fileErr); {
		case err != nil && !ended:
			return fmt.Errorf("reading the object at offset %d: %w", at, err)
		case fileErr != nil && !fileEnded:
			return fmt.Errorf("reading the file at offset %d: %w", at, fileErr)
		case n > m:
			return fmt.Errorf("object and file differ: the file ends at offset %d, the object goes on", at)
		case n < m:
			return fmt.Errorf("object and file differ: the object ends at offset %d, the file goes on", at)
		case ended:
			return nil
		}
		offset += int64(n)
	}
}

func isEnd(err error) bool { return err == io.EOF || err == io.ErrUnexpectedEOF }

// digests computes what a file's ETag, by OSS's rule, and CRC-64 must be with the standard library,
// those of several parts at once.
func digests(ctx context.Context, f io.ReaderAt, size, partSize int64) (etag string, crc uint64, err error) {
	etags := make([]string, max(1, (size+partSize-1)/partSize))
	// First the CRC, which is of the whole file and takes longest; then the parts.
	err = fanout.Each(ctx, runtime.GOMAXPROCS(0), 1+len(etags), func(ctx context.Context, i int) error {
		if i == 0 {
			h := crc64.New(crc64.MakeTable(crc64.ECMA))
			err := digest(ctx, h, io.NewSectionReader(f, 0, size))
			crc = h.Sum64()
			return err
		}
		h, offset := md5.New(), int64(i-1)*partSize
		err := digest(ctx, h, io.NewSectionReader(f, offset, min(partSize, size-offset)))
		etags[i-1] = fmt.Sprintf("%X", h.Sum(nil))
		return err
	})
	return fmt.Sprintf("%X-%d", md5.Sum([]byte(strings.Join(etags, ""))), len(etags)), crc, err
}

// digest writes all of r into h.
func digest(ctx context.Context, h hash.Hash, r io.Reader) error {
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if _, err := io.CopyN(h, r, copySize); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}
