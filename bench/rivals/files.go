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
)

// files is the simplest thing that one could write, and durable: a file a part.
func files() contest.Contender {
	return contest.Contender{
		Name: "files",
		Note: "in process; a file a part and a list of them; syncs every file and its directory before every acknowledgement; does not verify what it reads",
		Open: func(_ context.Context, dir string, _ bool) (contest.Store, error) { return &filesStore{dir}, nil },
	}
}

// A filesStore is a directory. An upload is a directory below it, with a file a part. An object is
// a file that names the upload and its parts.
type filesStore struct{ dir string }

func (s *filesStore) Initiate(_ context.Context, key string) (string, error) {
	path, err := os.MkdirTemp(s.dir, key+".")
	if err != nil {
		return "", err
	}
	return filepath.Base(path), syncDir(s.dir)
}

func (s *filesStore) UploadPart(_ context.Context, _, id string, number int, body []byte) (string, error) {
	dir := filepath.Join(s.dir, id)
	if err := writeFile(filepath.Join(dir, strconv.Itoa(number)), body); err != nil {
		return "", err
	}
	sum := md5.Sum(body)
	return hex.EncodeToString(sum[:]), syncDir(dir)
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
	temp, path := filepath.Join(s.dir, id, "list"), filepath.Join(s.dir, key)
	if err := writeFile(temp, []byte(list.String())); err != nil {
		return "", err
	}
	if err := os.Rename(temp, path); err != nil {
		return "", err
	}
	return etag, syncDir(s.dir)
}

func (s *filesStore) Download(_ context.Context, key string, w io.Writer) error {
	parts, err := s.parts(key)
	if err != nil {
		return err
	}
	for _, part := range parts {
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

// parts returns the paths of an object's parts, below the store's directory.
func (s *filesStore) parts(key string) ([]string, error) {
	list, err := os.ReadFile(filepath.Join(s.dir, key))
	return strings.Fields(string(list)), err
}

func (s *filesStore) Remove(_ context.Context, key string) error {
	parts, err := s.parts(key)
	if err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(s.dir, key)); err != nil {
		return err
	}
	return os.RemoveAll(filepath.Join(s.dir, filepath.Dir(parts[0])))
}

func (s *filesStore) Close() error { return nil }

// writeFile makes a file and syncs it, but not its directory.
func writeFile(path string, content []byte) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(content); err != nil {
		return err
	}
	return f.Sync()
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) (err error) {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return f.Sync()
}
