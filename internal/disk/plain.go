package disk

import (
	"errors"
	"io/fs"
	"os"
)

// ErrNotPlain is what OpenPlain says of a directory, a FIFO, a device, a socket or a symlink.
var ErrNotPlain = errors.New("it is not a regular file")

// OpenPlain opens the regular file at path for reading, and describes it. Anything else is refused: a
// FIFO is not waited for, a device not touched, a symlink not followed.
func OpenPlain(path string) (*os.File, fs.FileInfo, error) { return openPlain(path, os.O_RDONLY) }

func openPlain(path string, flag int) (*os.File, fs.FileInfo, error) {
	// Before it is opened, because to open a device can be enough to make it do something.
	info, err := os.Lstat(path)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, &fs.PathError{Op: "open", Path: path, Err: ErrNotPlain}
	}
	f, err := os.OpenFile(path, flag|onlyPlain, 0)
	if err != nil {
		return nil, nil, err
	}
	// And after: it may have been exchanged.
	if info, err = f.Stat(); err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: ErrNotPlain}
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}

// WaitLock locks the file at path, which it makes if it is not there and leaves behind, as soon as nobody
// else in this process or another has it locked. It holds nothing. Closing the file unlocks it, and so
// does the end of the process. A file that others can write could be locked by them for ever, and is
// refused.
func WaitLock(path string) (*os.File, error) {
	f, err := lockable(path)
	if err != nil {
		return nil, err
	}
	if err := waitLock(f); err != nil {
		return nil, errors.Join(&fs.PathError{Op: "lock", Path: path, Err: err}, f.Close())
	}
	return f, nil
}

// errOthers is what WaitLock says of a lock that others can take.
var errOthers = errors.New("others than this process's user can write it")

func lockable(path string) (*os.File, error) {
	f, err := CreatePrivate(path)
	if !errors.Is(err, fs.ErrExist) {
		return f, err
	}
	f, info, err := openPlain(path, os.O_RDWR)
	if err != nil {
		return nil, err
	}
	if OthersWrite(info) {
		return nil, errors.Join(&fs.PathError{Op: "lock", Path: path, Err: errOthers}, f.Close())
	}
	return f, nil
}

// CreatePrivate creates the file at path, which must not be there, for reading and writing, with
// FileMode whatever the umask. Others can read it at no moment.
func CreatePrivate(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, FileMode)
	if err != nil {
		return nil, err
	}
	if err := f.Chmod(FileMode); err != nil { // the umask may have taken from it
		return nil, errors.Join(err, f.Close(), os.Remove(path))
	}
	return f, nil
}

// Forbidden reports whether err says that this process may not change what it wanted to, because it is
// another's or because nobody can.
func Forbidden(err error) bool { return errors.Is(err, fs.ErrPermission) || isReadOnly(err) }
