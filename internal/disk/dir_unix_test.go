//go:build unix

package disk_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gabion-storage/gabion/internal/disk"
)

// TestDirKinds opens, in every way, what is not what its name says. Nothing is followed, waited for
// or changed.
func TestDirKinds(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	d := openDir(t, dir)
	write(t, filepath.Join(outside, "file"), []byte("outside"))
	write(t, filepath.Join(dir, "inside"), []byte("inside"))
	if err := errors.Join(
		os.Symlink(filepath.Join(outside, "file"), filepath.Join(dir, "link")),
		os.Symlink(filepath.Join(outside, "new"), filepath.Join(dir, "dangling")),
		os.Symlink("inside", filepath.Join(dir, "link within")),
		os.Symlink(outside, filepath.Join(dir, "link to directory")),
		syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600),
		os.Mkdir(filepath.Join(dir, "directory"), 0o700),
	); err != nil {
		t.Fatal(err)
	}
	opens := map[string]func(name string) error{
		"Open":         func(name string) error { return closed(d.Open(name)) },
		"OpenWritable": func(name string) error { return closed(d.OpenWritable(name)) },
		"ReadFile":     func(name string) error { _, err := d.ReadFile(name, 100); return err },
		"CheckFile":    d.CheckFile,
		"CheckPlain":   d.CheckPlain,
	}
	for _, name := range []string{"link", "dangling", "link within", "link to directory", "fifo", "directory"} {
		for what, open := range opens {
			var entry *disk.EntryError
			if err := open(name); !errors.As(err, &entry) || entry.Path != filepath.Join(d.Path(), name) {
				t.Errorf("%s of %s: %v", what, name, err)
			}
		}
		if err := closed(d.Create(name)); !errors.Is(err, fs.ErrExist) {
			t.Errorf("Create of %s: %v", name, err)
		}
		if name == "directory" {
			continue
		}
		var entry *disk.EntryError
		if sub, err := d.OpenDir(name); !errors.As(err, &entry) {
			t.Errorf("OpenDir of %s: %v, %v", name, sub, err)
		}
		if err := d.WriteFile(name, []byte("written")); err != nil {
			t.Errorf("WriteFile of %s: %v", name, err)
		}
		if data, err := d.ReadFile(name, 7); string(data) != "written" || err != nil {
			t.Errorf("%s holds %q, %v", name, data, err)
		}
	}
	if names, err := os.ReadDir(outside); err != nil || len(names) != 1 {
		t.Errorf("outside are %v, %v", names, err)
	}
	if data, err := os.ReadFile(filepath.Join(outside, "file")); string(data) != "outside" || err != nil {
		t.Errorf("the file outside holds %q, %v", data, err)
	}
	for _, name := range []string{"../" + filepath.Base(outside) + "/file", filepath.Join(outside, "file"), "missing"} {
		if err := closed(d.Open(name)); err == nil {
			t.Errorf("%s was opened", name)
		}
	}
}

func closed(f *os.File, err error) error {
	if err != nil {
		return err
	}
	return f.Close()
}

// TestReadFileBounded reads files about their limit, and one of nothing but a great size.
func TestReadFileBounded(t *testing.T) {
	dir := t.TempDir()
	d := openDir(t, dir)
	for _, size := range []int64{0, 1, 99, 100, 101, 1 << 40} {
		path := filepath.Join(dir, "file")
		write(t, path, nil)
		if err := os.Truncate(path, size); err != nil {
			t.Skip(err)
		}
		data, err := d.ReadFile("file", 100)
		var entry *disk.EntryError
		if tooLong := size > 100; tooLong != errors.As(err, &entry) || !tooLong && (err != nil || int64(len(data)) != size) {
			t.Errorf("%d bytes: %d were read, %v", size, len(data), err)
		}
	}
}

// TestDirLinks: a file with another name is not written to until it has been separated.
func TestDirLinks(t *testing.T) {
	dir := t.TempDir()
	d := openDir(t, dir)
	write(t, filepath.Join(dir, "file"), []byte("content"))
	if err := os.Link(filepath.Join(dir, "file"), filepath.Join(dir, "other")); err != nil {
		t.Skip(err)
	}
	var entry *disk.EntryError
	if err := closed(d.OpenWritable("file")); !errors.As(err, &entry) || !strings.Contains(err.Error(), "hard link") {
		t.Errorf("OpenWritable: %v", err)
	}
	if err := closed(d.Open("file")); err != nil {
		t.Errorf("Open: %v", err)
	}
	if err := d.Separate("file", 3); !errors.As(err, &entry) {
		t.Errorf("Separate of more than its limit: %v", err)
	}
	if err := errors.Join(d.Separate("file", 7), closed(d.OpenWritable("file")), closed(d.OpenWritable("other"))); err != nil {
		t.Errorf("when it was separated: %v", err)
	}
	for _, name := range []string{"file", "other"} {
		if data, err := d.ReadFile(name, 7); string(data) != "content" || err != nil {
			t.Errorf("%s holds %q, %v", name, data, err)
		}
	}
}

// TestOpenDirByLink opens a directory through a symlink, which then leads elsewhere, from a working
// directory that changes.
func TestOpenDirByLink(t *testing.T) {
	base, dir := t.TempDir(), t.TempDir()
	if err := os.Symlink(dir, filepath.Join(base, "link")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(base)
	d := openDir(t, "link")
	if err := os.Remove("link"); err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	if err := d.WriteFile("file", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "file")); err != nil {
		t.Error(err)
	}
	if _, err := disk.OpenDir(filepath.Join(dir, "file")); err == nil {
		t.Error("a file was opened as a directory")
	}
}
