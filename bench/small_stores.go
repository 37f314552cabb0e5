package main

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/gabion-storage/gabion/bench/internal/contest"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/internal/disk"
)

// A smaller is a store of small objects. All but Close are called from many goroutines at once.
type smaller interface {
	put(ctx context.Context, key string, body []byte) error
	get(ctx context.Context, key string, w io.Writer) error
	head(ctx context.Context, key string) (size int64, err error)
	Close() error
}

// A smallStore is a contender.
type smallStore struct {
	name, note string
	putOnly    bool
	open       func(ctx context.Context, dir string) (smaller, error)
}

// smallStores are the contenders. A further set of the engine's options is a further line.
func smallStores(logf func(format string, args ...any)) []smallStore {
	return []smallStore{
		smallEngine("gabion", engine.Options{}, logf),
		{
			name: "files", note: "MD5, a temporary file, fsync, rename, fsync of the directory; to read," +
				" open and read, or stat; nothing is verified, and no MD5 is kept",
			open: func(_ context.Context, dir string) (smaller, error) { return smallFiles(dir), nil },
		},
		{
			name: "disk", putOnly: true, note: "the disk's limit: the same bytes over those of a file that" +
				" nobody else writes meanwhile, and fdatasync",
			open: func(_ context.Context, dir string) (smaller, error) {
				return &smallDisk{smallFiles(dir), make(chan *os.File, contest.MaxParallel)}, nil
			},
		},
	}
}

func smallEngine(
	name string, o engine.Options, logf func(format string, args ...any),
) smallStore {
	return smallStore{
		name: name, note: "PutObject, GetObject, HeadObject; verifies what it reads",
		open: func(ctx context.Context, dir string) (smaller, error) {
			e, err := contest.OpenEngine(ctx, filepath.Join(dir, "store"), o, engine.OSS, logf)
			if err != nil {
				return nil, err
			}
			return smallGabion{e}, nil
		},
	}
}

type smallGabion struct{ *engine.Engine }

func (s smallGabion) put(ctx context.Context, key string, body []byte) error {
	_, err := s.PutObject(ctx, &engine.PutObjectRequest{
		Bucket: bucket, Key: key, Body: bytes.NewReader(body), Size: int64(len(body)),
	})
	return err
}

func (s smallGabion) get(ctx context.Context, key string, w io.Writer) error {
	obj, err := s.GetObject(ctx, &engine.GetObjectRequest{Bucket: bucket, Key: key})
	if err != nil {
		return err
	}
	_, err = obj.WriteTo(w)
	return errors.Join(err, obj.Close())
}

func (s smallGabion) head(ctx context.Context, key string) (int64, error) {
	info, err := s.HeadObject(ctx, &engine.HeadObjectRequest{Bucket: bucket, Key: key})
	if err != nil {
		return 0, err
	}
	return info.Size, nil
}

// smallFiles is a directory with a file an object.
type smallFiles string

func (s smallFiles) path(key string) string { return filepath.Join(string(s), key) }

func (s smallFiles) put(_ context.Context, key string, body []byte) error {
	_ = md5.Sum(body) // the ETag
	return disk.WriteFile(s.path(key), body, 0o600)
}

func (s smallFiles) get(_ context.Context, key string, w io.Writer) error {
	f, err := os.Open(s.path(key))
	if err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return errors.Join(err, f.Close())
}

func (s smallFiles) head(_ context.Context, key string) (int64, error) {
	info, err := os.Stat(s.path(key))
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (s smallFiles) Close() error { return nil }

// A smallDisk has as many files as there are puts at once.
type smallDisk struct {
	smallFiles
	free chan *os.File
}

func (s *smallDisk) put(_ context.Context, key string, body []byte) (err error) {
	var f *os.File
	select {
	case f = <-s.free:
	default:
		if f, err = os.Create(s.path(key)); err != nil {
			return err
		}
	}
	defer func() { s.free <- f }()
	if _, err := f.WriteAt(body, 0); err != nil {
		return err
	}
	return disk.SyncData(f)
}

func (s *smallDisk) Close() (err error) {
	close(s.free)
	for f := range s.free {
		err = errors.Join(err, f.Close())
	}
	return err
}
