package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ErrLocked is returned when another holder, in this process or another, has the directory locked.
var ErrLocked = errors.New("disk: directory is locked")

// LockFile is the name of the file that LockDir locks. It holds nothing.
const LockFile = "LOCK"

// A Lock keeps a directory for one holder until Unlock, or until the process ends however it ends.
type Lock struct{ f *os.File }

// LockDir locks dir through its file LockFile, which it creates and leaves behind. It does not wait.
func LockDir(dir string) (*Lock, error) {
	path := filepath.Join(dir, LockFile)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %s", err, path), f.Close())
	}
	return &Lock{f}, nil
}

// Unlock gives the directory free. The file stays: removing it would let two later holders lock
// two different files of the same name.
func (l *Lock) Unlock() error { return l.f.Close() }
