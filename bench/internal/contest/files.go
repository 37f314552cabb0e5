package contest

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gabion-storage/gabion/internal/disk"
)

// Files is the simplest thing that one could write, and durable: a file a part, or an object.
func Files() Contender {
	return Contender{
		Name: "files",
		Note: "in process; a file an object, or a file a part and a list of them; MD5, a temporary" +
			" file, fsync, rename, fsync of the directory; does not verify what it reads",
		Open: func(_ context.Context, dir string, _ bool) (Store, error) { return files(dir), nil },
	}
}

// files is a directory: a file an object. One that was uploaded by parts is a file, with the suffix
// listOf, that lists those of its parts, which lie in a directory of the upload.
type files string

const listOf = ".parts"

func (s files) path(elements ...string) string {
	return filepath.Join(string(s), filepath.Join(elements...))
}

func (s files) Initiate(_ context.Context, key string) (string, error) {
	path, err := os.MkdirTemp(string(s), key+".")
	if err != nil {
		return "", err
	}
	return filepath.Base(path), disk.SyncDir(string(s))
}

func (s files) UploadPart(
	_ context.Context, _, id string, number int, body []byte,
) (string, error) {
	sum := md5.Sum(body)
	return fmt.Sprintf("%x", sum), disk.WriteFile(s.path(id, strconv.Itoa(number)), body, 0o600)
}

func (s files) Complete(_ context.Context, key, id string, etags []string) (string, error) {
	var list strings.Builder
	for i := range etags {
		part := filepath.Join(id, strconv.Itoa(i+1))
		if _, err := os.Stat(s.path(part)); err != nil {
			return "", err
		}
		fmt.Fprintln(&list, part)
	}
	etag, err := ETag(etags)
	if err != nil {
		return "", err
	}
	return etag, disk.WriteFile(s.path(key+listOf), []byte(list.String()), 0o600)
}

func (s files) Put(_ context.Context, key string, body []byte) error {
	_ = md5.Sum(body) // the ETag
	return disk.WriteFile(s.path(key), body, 0o600)
}

func (s files) Head(_ context.Context, key string) (int64, error) {
	info, err := os.Stat(s.path(key))
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (s files) Download(_ context.Context, key string, w io.Writer) error {
	list, err := os.ReadFile(s.path(key + listOf))
	if errors.Is(err, fs.ErrNotExist) {
		list, err = []byte(key), nil
	}
	for _, part := range strings.Fields(string(list)) {
		if err == nil {
			err = copyFile(w, s.path(part))
		}
	}
	return err
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

func (s files) Close() error { return nil }
