package disk_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/gabion-storage/gabion/internal/disk"
)

// TestWriteFileNotSynced has the sync of the directory fail when the file has its name. The error says
// no more than that: who asks whether something is not there does not take it for that.
func TestWriteFileNotSynced(t *testing.T) {
	dir := t.TempDir()
	d, err := disk.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := disk.LoseHandle(d); err != nil {
		t.Fatal(err)
	}
	if err := d.WriteFile("file", []byte("new")); !errors.Is(err, fs.ErrClosed) || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("WriteFile: %v, want that the directory is closed, and no more", err)
	}
	if data, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || string(data) != "new" {
		t.Errorf("the file is %q, %v", data, err)
	}
}
