//go:build unix

package engine_test

import (
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestModes makes a store under a mask that would let everybody in. Badger makes its files as the mask
// says; they are private because the directory around them is.
func TestModes(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	dir := filepath.Join(t.TempDir(), "parent", "store")
	e := open(t, dir, nil)
	mustObject(t, e, "bucket", "key", "", random(1, 200_000))
	check := func() {
		err := filepath.WalkDir(filepath.Dir(dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			inIndex := strings.HasPrefix(path, filepath.Join(dir, "index")+string(filepath.Separator))
			switch mode := info.Mode().Perm(); {
			case d.IsDir() && !inIndex && mode != 0o700:
				t.Errorf("the directory %s has mode %o", path, mode)
			case !d.IsDir() && !inIndex && mode != 0o600:
				t.Errorf("the file %s has mode %o", path, mode)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	check()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	check()
}
