package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// What Gabion makes is for its owner alone, whatever the umask: what others may read is decided by
// who embeds it, not by who started the process.
const (
	DirMode  fs.FileMode = 0o700
	FileMode fs.FileMode = 0o600
)

// MakeDir makes the directory at path, and those above it that are missing, durably and with
// DirMode. A directory that is there keeps its mode.
func MakeDir(path string) error {
	if info, err := os.Stat(path); err == nil {
		if !info.IsDir() {
			return &fs.PathError{Op: "mkdir", Path: path, Err: errors.New("it is not a directory")}
		}
		// Who made it may have been killed before the next line.
		return SyncEntry(path)
	}
	parent := filepath.Dir(path)
	if parent != path {
		// Each is durable before anything is made in it: so of those found here only the last can
		// be one that is not.
		if err := MakeDir(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, DirMode); err != nil {
		if errors.Is(err, fs.ErrExist) { // somebody else was faster
			return SyncEntry(path)
		}
		return err
	}
	return errors.Join(os.Chmod(path, DirMode), SyncDir(parent))
}

// Forbidden reports whether err says that this process may not change what it wanted to, because it
// is another's or because nobody can.
func Forbidden(err error) bool { return errors.Is(err, fs.ErrPermission) || isReadOnly(err) }

// SyncEntry makes durable that there is something at path, which was found there. Where this
// process could not have made it, since the directory is not its own to read or cannot be written,
// there is nothing to do.
func SyncEntry(path string) error {
	err := SyncDir(filepath.Dir(path))
	if Forbidden(err) {
		return nil
	}
	return err
}
