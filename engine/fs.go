package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// An FS is a bucket as a read-only file system of package io/fs. Keys are paths, and what stands
// before a slash in one is a directory. It may be used from many goroutines; an open file by one at
// a time, except for ReadAt.
//
// Not every set of keys is a tree of files. A directory is there if a key begins with its path and
// a slash, as "photos/" does, and the root if the bucket is. Not shown are objects whose key is
// also the path of a directory, and those whose key is no path, because it begins or ends with a
// slash or has an element that is empty, "." or "..". They are in the bucket all the same.
//
// An open file is a snapshot, as an [Object] is, and keeps deleted content from being reclaimed
// until it is closed. The list of a directory is a snapshot of each thousand entries. Files have
// mode 0444 and are also io.Seeker, io.ReaderAt and io.WriterTo; directories have mode 0555 and no
// time. Sys of a file's FileInfo is its *[ObjectInfo].
//
// Errors of opening, listing and describing are *[fs.PathError] around the engine's; reads, also by
// ReadFile, fail as those of an [Object] do. Errors match [fs.ErrNotExist] where there is no such
// object or bucket, or cannot be, and [fs.ErrPermission] where a key is missing, denied or
// unusable: objects that were stored with SSECustomerKey are listed, but cannot be read.
type FS struct {
	ctx    context.Context
	engine *Engine
	bucket string
}

var (
	_ fs.ReadDirFS  = (*FS)(nil)
	_ fs.StatFS     = (*FS)(nil)
	_ fs.ReadFileFS = (*FS)(nil)
)

// FS returns a bucket as a file system, for as long as the engine is open. It does not check
// whether the bucket exists. ctx bounds the file system's methods, but not reads of open files.
func (e *Engine) FS(ctx context.Context, bucket string) *FS {
	return &FS{ctx: ctx, engine: e, bucket: bucket}
}

// Open opens an object or a directory. Directories are fs.ReadDirFile; reading one a few entries at
// a time takes memory for no more than these.
func (f *FS) Open(name string) (fs.File, error) {
	isDir, err := f.isDirectory(name)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	if isDir {
		return &directory{fsys: f, name: name}, nil
	}
	object, err := f.engine.GetObject(f.ctx, &GetObjectRequest{Bucket: f.bucket, Key: name})
	if err != nil {
		return nil, pathError("open", name, err)
	}
	return file{object}, nil
}

// Stat describes an object or a directory without opening it.
func (f *FS) Stat(name string) (fs.FileInfo, error) {
	isDir, err := f.isDirectory(name)
	if err != nil {
		return nil, pathError("stat", name, err)
	}
	if isDir {
		return directoryInfo(name), nil
	}
	object, err := f.engine.HeadObject(f.ctx, &HeadObjectRequest{Bucket: f.bucket, Key: name})
	if err != nil {
		return nil, pathError("stat", name, err)
	}
	return objectInfo(object), nil
}

// ReadFile returns the content of an object, whatever its size.
func (f *FS) ReadFile(name string) ([]byte, error) {
	opened, err := f.Open(name)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	object, ok := opened.(file)
	if !ok {
		return nil, pathError("read", name, errIsDirectory)
	}
	data := make([]byte, object.Size)
	if _, err := io.ReadFull(object, data); err != nil {
		return nil, err
	}
	return data, nil
}

// ReadDir returns all entries of a directory by name.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	opened, err := f.Open(name)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	dir, ok := opened.(*directory)
	if !ok {
		return nil, pathError("readdir", name, errNotDirectory)
	}
	entries, err := dir.ReadDir(-1)
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, err
}

// isDirectory says whether a path is that of a directory.
func (f *FS) isDirectory(name string) (bool, error) {
	if !fs.ValidPath(name) {
		return false, fs.ErrInvalid
	}
	page, err := f.engine.ListObjects(f.ctx, &ListObjectsRequest{
		Bucket: f.bucket, Prefix: below(name), MaxKeys: 1,
	})
	if err != nil {
		return false, err
	}
	return name == root || len(page.Objects) > 0, nil
}

// root is the path of the directory in which all others are.
const root = "."

// below is what all keys below a directory begin with.
func below(dir string) string {
	if dir == root {
		return ""
	}
	return dir + "/"
}

var (
	errNotDirectory = errors.New("not a directory")
	errIsDirectory  = errors.New("is a directory")
)

// pathError makes of an error what users of package io/fs look for.
func pathError(op, name string, err error) error {
	switch {
	case isAny(err, ErrNoSuchKey, ErrNoSuchBucket),
		isAny(err, ErrInvalidObjectName, ErrKeyTooLong, ErrInvalidBucketName):
		err = fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	case isAny(err, ErrInvalidRequest, ErrAccessDenied, ErrKmsServiceNotEnabled),
		isAny(err, ErrKeyNotFound, ErrKeyDisabled, ErrKeyPendingDeletion, ErrKeyPendingImport):
		err = fmt.Errorf("%w: %w", fs.ErrPermission, err)
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

func isAny(err error, codes ...*Error) bool {
	return slices.ContainsFunc(codes, func(code *Error) bool { return errors.Is(err, code) })
}

// A file is an open object.
type file struct{ *Object }

// Stat describes the object, as it was when it was opened.
func (f file) Stat() (fs.FileInfo, error) { return objectInfo(&f.ObjectInfo), nil }

// A fileInfo describes an object or a directory.
type fileInfo struct {
	name   string
	mode   fs.FileMode
	object *ObjectInfo // nil for a directory
}

func objectInfo(o *ObjectInfo) *fileInfo {
	return &fileInfo{name: path.Base(o.Key), mode: 0o444, object: o}
}

func directoryInfo(name string) *fileInfo {
	return &fileInfo{name: path.Base(name), mode: fs.ModeDir | 0o555}
}

func (i *fileInfo) Name() string      { return i.name }
func (i *fileInfo) Mode() fs.FileMode { return i.mode }
func (i *fileInfo) IsDir() bool       { return i.mode.IsDir() }

func (i *fileInfo) Size() int64 {
	if i.object == nil {
		return 0
	}
	return i.object.Size
}

func (i *fileInfo) ModTime() time.Time {
	if i.object == nil {
		return time.Time{}
	}
	return i.object.LastModified
}

func (i *fileInfo) Sys() any {
	if i.object == nil {
		return nil
	}
	return i.object
}
