package contest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"

	"github.com/gabion-storage/gabion/internal/disk"
)

// Disk is the limit that the disk sets.
func Disk() Contender {
	return Contender{
		Name: "disk", Encrypts: true, WriteOnly: true, Open: openDisk,
		Note: "the disk's limit: parts one after the other, uncompressed, at the end of one file," +
			" and fsync after each; small objects over bytes of a file that nobody else writes" +
			" meanwhile, and fdatasync",
	}
}

func openDisk(_ context.Context, dir string, _ bool) (Store, error) {
	f, err := os.Create(filepath.Join(dir, "parts"))
	if err != nil {
		return nil, err
	}
	s := &diskStore{dir: dir, free: make(chan *os.File, MaxParallel)}
	s.limit = limit{
		part: func(body []byte) (etag string, err error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if _, err := f.Write(body); err != nil {
				return "", err
			}
			return "", f.Sync()
		},
		close: f.Close,
	}
	return s, nil
}

type diskStore struct {
	limit
	mu   sync.Mutex // one part after the other
	dir  string
	free chan *os.File // as many as there were puts at once, each with an object in it
}

func (s *diskStore) Put(_ context.Context, key string, body []byte) (err error) {
	var f *os.File
	select {
	case f = <-s.free:
	default:
		if f, err = os.Create(filepath.Join(s.dir, key)); err != nil {
			return err
		}
	}
	defer func() { s.free <- f }()
	if _, err := f.WriteAt(body, 0); err != nil {
		return err
	}
	return disk.SyncData(f)
}

func (s *diskStore) Head(context.Context, string) (int64, error) {
	return 0, errors.ErrUnsupported
}

func (s *diskStore) Close() error {
	close(s.free)
	err := s.limit.Close()
	for f := range s.free {
		err = errors.Join(err, f.Close())
	}
	return err
}
