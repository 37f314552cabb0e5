//go:build unix

package engine_test

import (
	"os"
	"path/filepath"
	"syscall"
)

// replaceBy puts something else in the place of a file.
func replaceBy(kind int, path, other string) error {
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	switch kind % 6 {
	case 0:
		return os.Symlink(other, path)
	case 1:
		return os.Symlink(filepath.Join(filepath.Dir(path), "nowhere"), path)
	case 2:
		return syscall.Mkfifo(path, 0o600)
	case 3:
		return os.Mkdir(path, 0o700)
	case 4:
		return os.Link(other, path)
	}
	return os.WriteFile(path, nil, 0o600)
}
