package main

import (
	"bufio"
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
)

// filesContender is the simplest thing that one could write, and durable: a file a part.
func filesContender() contender {
	return contender{
		name: "files",
		note: "in process; a file a part and a list of them; syncs every file and its directory before every acknowledgement; does not verify what it reads",
		open: openFiles,
	}
}

// A filesStore is a directory. An upload is a directory below it, with a file a part. An object is a
// file that names the upload and its parts.
type filesStore struct{ dir string }

func openFiles(_ context.Context, p place) (store, error) { return &filesStore{p.dir}, nil }

func (s *filesStore) initiate(_ context.Context, key string) (string, error) {
	path, err := os.MkdirTemp(s.dir, key+".")
	if err != nil {
		return "", err
	}
	return filepath.Base(path), syncDir(s.dir)
}

func (s *filesStore) uploadPart(_ context.Context, _, id string, number int, body []byte) (string, error) {
	dir := filepath.Join(s.dir, id)
	if err := writeFile(filepath.Join(dir, strconv.Itoa(number)), body); err != nil {
		return "", err
	}
	sum := md5.Sum(body)
	return hex.EncodeToString(sum[:]), syncDir(dir)
}

func (s *filesStore) complete(_ context.Context, key, id string, etags []string) (string, error) {
	var list strings.Builder
	for i := range etags {
		part := filepath.Join(id, strconv.Itoa(i+1))
		if _, err := os.Stat(filepath.Join(s.dir, part)); err != nil {
			return "", err
		}
		fmt.Fprintln(&list, part)
	}
	etag, err := multipartETag(etags)
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

// multipartETag returns S3's ETag of an object from those of its parts.
func multipartETag(etags []string) (string, error) {
	all := md5.New()
	for _, etag := range etags {
		sum, err := hex.DecodeString(etag)
		if err != nil {
			return "", err
		}
		all.Write(sum)
	}
	return fmt.Sprintf("%x-%d", all.Sum(nil), len(etags)), nil
}

func (s *filesStore) download(ctx context.Context, key string, w io.Writer) error {
	parts, err := s.parts(key)
	if err != nil {
		return err
	}
	for _, part := range parts {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
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
func (s *filesStore) parts(key string) (parts []string, err error) {
	f, err := os.Open(filepath.Join(s.dir, key))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		parts = append(parts, lines.Text())
	}
	return parts, lines.Err()
}

func (s *filesStore) remove(_ context.Context, key string) error {
	parts, err := s.parts(key)
	if err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(s.dir, key)); err != nil {
		return err
	}
	return os.RemoveAll(filepath.Join(s.dir, filepath.Dir(parts[0])))
}

func (s *filesStore) close() error { return nil }

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
