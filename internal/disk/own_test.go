package disk_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/gabion-storage/gabion/internal/disk"
)

func TestMakeDir(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "a", "b", "c")
	for range 2 { // the second time it is there
		if err := disk.MakeDir(path); err != nil {
			t.Fatal(err)
		}
		for at := path; at != root; at = filepath.Dir(at) {
			if info, err := os.Stat(at); err != nil || !info.IsDir() {
				t.Errorf("%s: %v, %v", at, info, err)
			}
		}
	}
	write(t, filepath.Join(root, "file"), nil)
	for _, path := range []string{"file", "file/below"} {
		if err := disk.MakeDir(filepath.Join(root, path)); err == nil {
			t.Errorf("%s was made", path)
		}
	}
}
