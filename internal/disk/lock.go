package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// ErrLocked is returned when another holder, in this process or another, has the directory locked.
var ErrLocked = errors.New("disk: directory is locked")

// LockFile is the name of the file that Lock locks beside the directory itself. It holds nothing.
const LockFile = "LOCK"

// A Lock keeps a directory for one holder until Unlock, or until the process ends however it ends.
type Lock struct {
	file *os.File
	dir  *os.File
}

// Lock locks the directory, by a handle of it where the platform can and by its file LockFile,
// which it creates and leaves behind. It does not wait.
//
// Either lock would do. But a file can be deleted, by hand or by a tool that tidies up, and a
// second holder would lock another one of the same name; and not every file system can lock a
// directory.
func (d *Dir) Lock() (*Lock, error) {
	handle, err := d.root.Open(".") // one of its own: a lock belongs to what was opened
	if err != nil {
		return nil, d.named("", err)
	}
	if err := lockHandle(handle); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %s", err, d.Path()), handle.Close())
	}
	file, err := d.lockNamed(LockFile)
	if err != nil {
		return nil, errors.Join(err, handle.Close())
	}
	return &Lock{file: file, dir: handle}, nil
}

func (d *Dir) lockNamed(name string) (*os.File, error) {
	f, err := d.openOwn(name, os.O_CREATE|os.O_RDWR)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %s", err, d.Join(name)), f.Close())
	}
	return f, nil
}

// errOthers is what WaitLock says of a lock that others can take.
var errOthers = errors.New("others than this process's user can write it")

// WaitLock locks a file of d, which it makes if it is not there and leaves behind, as soon as
// nobody else in this process or another has it locked. It holds nothing. Closing the file unlocks
// it, and so does the end of the process. One that others can write could be locked by them for
// ever, and is refused.
func (d *Dir) WaitLock(name string) (*os.File, error) {
	f, err := d.openOwn(name, os.O_CREATE|os.O_RDWR)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && OthersWrite(info) {
		err = errOthers
	}
	if err == nil {
		err = waitLock(f)
	}
	if err != nil {
		return nil, errors.Join(&fs.PathError{Op: "lock", Path: d.Join(name), Err: err}, f.Close())
	}
	return f, nil
}

// Unlock gives the directory free. The file stays: removing it would let two later holders lock
// two different files of the same name. Whatever the error, the directory is free then.
func (l *Lock) Unlock() error { return errors.Join(l.file.Close(), l.dir.Close()) }
