package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ErrLocked is returned when another holder, in this process or another, has the directory locked.
var ErrLocked = errors.New("disk: directory is locked")

// LockFile is the name of the file that LockDir locks beside the directory itself. It holds nothing.
const LockFile = "LOCK"

// A Lock keeps a directory for one holder until Unlock, or until the process ends however it ends.
type Lock struct {
	file *os.File
	dir  *os.File
}

// LockDir locks dir, by a handle of the directory where the platform can and by its file LockFile, which
// it creates and leaves behind. It does not wait.
//
// Either lock would do. But a file can be deleted, by hand or by a tool that tidies up, and a second
// holder would lock another one of the same name; and not every file system can lock a directory.
func LockDir(dir string) (*Lock, error) {
	handle, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := lockHandle(handle); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %s", err, dir), handle.Close())
	}
	file, err := lockNamed(filepath.Join(dir, LockFile))
	if err != nil {
		return nil, errors.Join(err, handle.Close())
	}
	return &Lock{file: file, dir: handle}, nil
}

func lockNamed(path string) (*os.File, error) {
	f, err := openOwn(path, os.O_CREATE|os.O_RDWR)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %s", err, path), f.Close())
	}
	return f, nil
}

// Unlock gives the directory free. The file stays: removing it would let two later holders lock
// two different files of the same name. Whatever the error, the directory is free then.
func (l *Lock) Unlock() error { return errors.Join(l.file.Close(), l.dir.Close()) }
