package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// WriteFile puts data into the file at path, atomically and durably: a reader, also one after a
// power loss, finds the old content or the new, never a mixture. The directory must exist. The file
// gets perm as it is, whatever the umask.
func WriteFile(path string, data []byte, perm os.FileMode) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".tmp-*")
	if err != nil {
		return err
	}
	err = errors.Join(fill(f, data, perm), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	// Without this the rename itself may be undone by a power loss.
	return SyncDir(dir)
}

func fill(f *os.File, data []byte, perm os.FileMode) error {
	if err := f.Chmod(perm); err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}

// Usage returns the bytes that dir and what lies below its entries of these names occupy on disk,
// as du counts them; without names it is everything below dir. What vanishes while it walks, and
// what this process may not read, which then is not its own, is left out.
func Usage(dir string, names ...string) (int64, error) {
	roots := []string{dir}
	var total int64
	if len(names) > 0 {
		info, err := os.Lstat(dir)
		if err != nil {
			return 0, fmt.Errorf("disk: usage of %s: %w", dir, err)
		}
		total, roots = Allocated(info), nil
		for _, name := range names {
			roots = append(roots, filepath.Join(dir, name))
		}
	}
	for _, root := range roots {
		used, err := usageBelow(root)
		if err != nil {
			return 0, fmt.Errorf("disk: usage of %s: %w", dir, err)
		}
		total += used
	}
	return total, nil
}

func usageBelow(root string) (total int64, err error) {
	left := func(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) }
	err = filepath.WalkDir(root, func(_ string, d fs.DirEntry, err error) error {
		if left(err) {
			return nil
		}
		if err != nil {
			return err
		}
		info, err := d.Info()
		if left(err) {
			return nil
		}
		if err != nil {
			return err
		}
		total += Allocated(info)
		return nil
	})
	return total, err
}

// IsNoSpace reports whether err is the system's for a file system without room: no blocks, no
// inodes or a quota reached.
func IsNoSpace(err error) bool {
	return slices.ContainsFunc(noSpaceErrors, func(e error) bool { return errors.Is(err, e) })
}

// SaysNoSpace is IsNoSpace for errors of a library that formats the system's errors instead of
// wrapping them: it takes the system's own words, too. Who else repeats them would be taken for it.
func SaysNoSpace(err error) bool {
	return said(err) != nil
}

// said returns which of noSpaceErrors an error is, or repeats the words of.
func said(err error) error {
	if err == nil {
		return nil
	}
	for _, e := range noSpaceErrors {
		if errors.Is(err, e) || strings.Contains(err.Error(), e.Error()) {
			return e
		}
	}
	return nil
}

// WrapNoSpace makes an error match IsNoSpace for which SaysNoSpace is true, and leaves its text and
// every other error as they are.
func WrapNoSpace(err error) error {
	if e := said(err); e != nil && !errors.Is(err, e) {
		return &saidError{err, e}
	}
	return err
}

// A saidError is an error that repeats the words of another one.
type saidError struct {
	error
	of error
}

func (e *saidError) Unwrap() []error { return []error{e.error, e.of} }
