package main

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gabion-storage/gabion/bench/internal/contest"
	"github.com/gabion-storage/gabion/internal/disk"
)

// files is the simplest thing that one could write, and durable: a file a part.
func files() contest.Contender {
	return contest.Contender{
		Name: "files",
		Note: "in process; a file a part and a list of them; writes each to a temporary file, syncs" +
			" it, renames it and syncs the directory; does not verify what it reads",
		Open: func(_ context.Context, dir string, _ bool) (contest.Store, error) {
			return &filesStore{dir}, nil
		},
	}
}

// A filesStore is a directory. An upload is a directory below it, with a file a part. An object is
// a file that names the upload's parts.
type filesStore struct{ dir string }

func (s *filesStore) Initiate(_ context.Context, key string) (string, error) {
	path, err := os.MkdirTemp(s.dir, key+".")
	if err != nil {
		return "", err
	}
	return filepath.Base(path), disk.SyncDir(s.dir)
}

func (s *filesStore) UploadPart(
	_ context.Context, _, id string, number int, body []byte,
) (string, error) {
	sum := md5.Sum(body)
	path := filepath.Join(s.dir, id, strconv.Itoa(number))
	return hex.EncodeToString(sum[:]), disk.WriteFile(path, body, 0o600)
}

func (s *filesStore) Complete(_ context.Context, key, id string, etags []string) (string, error) {
	var list strings.Builder
	for i := range etags {
		part := filepath.Join(id, strconv.Itoa(i+1))
		if _, err := os.Stat(filepath.Join(s.dir, part)); err != nil {
			return "", err
		}
		fmt.Fprintln(&list, part)
	}
	etag, err := contest.ETag(etags)
	if err != nil {
		return "", err
	}
	return etag, disk.WriteFile(filepath.Join(s.dir, key), []byte(list.String()), 0o600)
}

func (s *filesStore) Download(_ context.Context, key string, w io.Writer) error {
	list, err := os.ReadFile(filepath.Join(s.dir, key))
	if err != nil {
		return err
	}
	for _, part := range strings.Fields(string(list)) {
		if err := copyFile(w, filepath.Join(s.dir, part)); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(w io.Writer, path string) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = io.Copy(w, f)
	return err
}

func (s *filesStore) Close() error { return nil }
