package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A Dir is an open directory. What is done in it goes by its handle: neither a change of the
// working directory nor a symlink in its place leads elsewhere. Names are those of its entries,
// without separators.
//
// Nothing in it is taken for what its name says. What is opened must be a regular file, or a
// directory where one is wanted: a symlink is never followed, a FIFO is not waited for and a device
// is not touched, and each is an *EntryError. That holds for what was put there before; who can
// write the directory while it is in use can exchange an entry at any moment, and still reaches
// nothing outside.
//
// All methods but Close may be called from many goroutines.
type Dir struct {
	root   *os.Root
	handle *os.File
}

// An EntryError says which entry of a directory cannot be what its name stands for.
type EntryError struct {
	Path   string
	Reason string
}

func (e *EntryError) Error() string { return fmt.Sprintf("disk: %s: %s", e.Path, e.Reason) }

// OpenDir opens the directory at path, which may be reached by symlinks: they are resolved here,
// once. The caller must call Close.
func OpenDir(path string) (*Dir, error) {
	// The working directory may change, and another one may lie under the same name then.
	path, err := filepath.Abs(path)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path) // opening a FIFO would wait for its other end
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, notA("directory", path, info)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return newDir(root)
}

func newDir(root *os.Root) (*Dir, error) {
	handle, err := root.Open(".")
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return &Dir{root: root, handle: handle}, nil
}

// Path is where the directory was when it was opened, absolute and without symlinks.
func (d *Dir) Path() string { return d.root.Name() }

// Join is the path of an entry. It is for messages, and for libraries that want one.
func (d *Dir) Join(name string) string { return filepath.Join(d.Path(), name) }

// Close releases the handles.
func (d *Dir) Close() error { return errors.Join(d.handle.Close(), d.root.Close()) }

// OpenDir opens a directory in d.
func (d *Dir) OpenDir(name string) (*Dir, error) {
	info, err := d.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, notA("directory", d.Join(name), info)
	}
	root, err := d.root.OpenRoot(name)
	if err != nil {
		return nil, d.named(name, err)
	}
	return newDir(root)
}

// MakeDir makes a directory in d and opens it, durably and with DirMode. One that is there keeps
// its mode.
func (d *Dir) MakeDir(name string) (*Dir, error) {
	err := d.root.Mkdir(name, DirMode)
	if err == nil {
		err = d.root.Chmod(name, DirMode) // whatever the umask has left
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, d.named(name, err)
	}
	// Also of one that was there: who made it may have been killed before this.
	if err := d.Sync(); err != nil {
		return nil, err
	}
	return d.OpenDir(name)
}

// Entries lists the directory, in the order of the names.
func (d *Dir) Entries() ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(d.root.FS(), ".")
	return entries, d.named("", err)
}

// Lstat describes an entry, also a symlink.
func (d *Dir) Lstat(name string) (fs.FileInfo, error) {
	info, err := d.root.Lstat(name)
	return info, d.named(name, err)
}

// Sync makes the creation, renaming and removal of entries durable.
func (d *Dir) Sync() error { return syncHandle(d.handle) }

// CheckHandles fails if the process cannot open n more files. It spares itself what package os
// adds: it may run before every commit.
func (d *Dir) CheckHandles(n int) (err error) {
	for range n {
		h, openErr := openAgain(d.handle)
		if openErr != nil {
			return openErr
		}
		defer func() { err = errors.Join(err, closeAgain(h)) }()
	}
	return nil
}

// named gives an error of package os the whole path of the entry. nil stays nil.
func (d *Dir) named(name string, err error) error {
	var failed *fs.PathError
	var renamed *os.LinkError
	switch {
	case errors.As(err, &failed):
		return &fs.PathError{Op: failed.Op, Path: d.Join(name), Err: failed.Err}
	case errors.As(err, &renamed):
		return &fs.PathError{Op: renamed.Op, Path: d.Join(name), Err: renamed.Err}
	}
	return err
}

// notA says that an entry is not of the kind that is wanted.
func notA(wanted, path string, is fs.FileInfo) error {
	return &EntryError{
		Path: path, Reason: fmt.Sprintf("it is %s, not a %s", kindOf(is.Mode()), wanted),
	}
}

func kindOf(mode fs.FileMode) string {
	switch mode.Type() {
	case 0:
		return "a regular file"
	case fs.ModeDir:
		return "a directory"
	case fs.ModeSymlink:
		return "a symlink"
	case fs.ModeNamedPipe:
		return "a named pipe"
	case fs.ModeSocket:
		return "a socket"
	}
	return "a device"
}
