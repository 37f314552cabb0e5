package disk_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/gabion-storage/gabion/internal/disk"
)

// openDir opens a directory until the test ends.
func openDir(t *testing.T, path string) *disk.Dir {
	t.Helper()
	d, err := disk.OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := writeFile(path, data); err != nil {
		t.Fatal(err)
	}
}

func writeFile(path string, data []byte) error {
	return errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, data, 0o666))
}

func TestWriteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, content := range []string{"first", "second, which is longer", ""} {
		if err := disk.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != content {
			t.Errorf("the file holds %q, %v; wanted is %q", got, err, content)
		}
	}
	if err := disk.WriteFile(filepath.Join(t.TempDir(), "no", "such", "directory"), nil, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a directory: %v", err)
	}
	// Neither success nor failure may leave a temporary file.
	if err := disk.WriteFile(filepath.Dir(path), []byte("a directory is in the way"), 0o600); err == nil {
		t.Error("a directory was replaced by a file")
	}
	for _, dir := range []string{filepath.Dir(path), filepath.Dir(filepath.Dir(path))} {
		left, err := filepath.Glob(filepath.Join(dir, ".*tmp*"))
		if err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
}

// TestSums changes every byte of a listed file and of the list itself.
func TestSums(t *testing.T) {
	dir := t.TempDir()
	d := openDir(t, dir)
	files := map[string][]byte{"a": []byte("content of a"), "b c": []byte("b"), "empty": {}, "skipped": []byte("s")}
	for name, data := range files {
		write(t, filepath.Join(dir, name), data)
	}
	if err := d.VerifySums(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a list: %v", err)
	}
	if err := d.WriteSums(func(name string) bool { return name != "skipped" }); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "skipped"), []byte("changed"))
	if err := d.VerifySums(); err != nil {
		t.Errorf("nothing listed has changed: %v", err)
	}
	for _, name := range []string{"a", "b c", disk.SumsFile} {
		path := filepath.Join(dir, name)
		clean, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := range clean {
			bad := bytes.Clone(clean)
			bad[i] ^= 1 << (i % 8)
			expectDamage(t, d, path, bad)
		}
		expectDamage(t, d, path, clean[:len(clean)-1])
		expectDamage(t, d, path, append(bytes.Clone(clean), 'x'))
		write(t, path, clean)
	}
	if err := os.Remove(filepath.Join(dir, "empty")); err != nil {
		t.Fatal(err)
	}
	var damage *disk.SumsError
	if err := d.VerifySums(); !errors.As(err, &damage) {
		t.Errorf("with a listed file missing: %v", err)
	}
	for range 2 {
		if err := d.RemoveSums(); err != nil {
			t.Error(err)
		}
	}
	if err := d.VerifySums(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after RemoveSums: %v", err)
	}
}

func expectDamage(t *testing.T, d *disk.Dir, path string, content []byte) {
	t.Helper()
	write(t, path, content)
	var damage *disk.SumsError
	if err := d.VerifySums(); !errors.As(err, &damage) || damage.File != path {
		t.Errorf("%s holds %q: %v", path, content, err)
	}
}

func TestLockDir(t *testing.T) {
	d := openDir(t, t.TempDir())
	for range 2 {
		lock, err := d.Lock()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Lock(); !errors.Is(err, disk.ErrLocked) {
			t.Errorf("second lock: %v", err)
		}
		if err := lock.Unlock(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRemoveEmpty(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"1.mem", "2.vlog", "LOCK"} {
		write(t, filepath.Join(dir, name), nil)
	}
	write(t, filepath.Join(dir, "3.mem"), []byte("x"))
	if err := openDir(t, dir).RemoveEmpty(".mem", ".vlog"); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) != 2 {
		t.Errorf("left are %v, %v; wanted are 3.mem and LOCK", left, err)
	}
}

func TestUsage(t *testing.T) {
	dir := t.TempDir()
	before, err := disk.Usage(dir)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "sub", "file"), bytes.Repeat([]byte("x"), 1<<20))
	after, err := disk.Usage(dir)
	if err != nil || after-before < 1<<20 || after-before > 2<<20 {
		t.Errorf("a file of 1 MiB changed the usage by %d bytes, %v", after-before, err)
	}
	named, err := disk.Usage(dir, "sub", "missing")
	if err != nil || named != after {
		t.Errorf("what is named uses %d bytes, %v; everything uses %d", named, err, after)
	}
	write(t, filepath.Join(dir, "other"), bytes.Repeat([]byte("x"), 1<<20))
	if named, err = disk.Usage(dir, "sub", "missing"); err != nil || named > after {
		t.Errorf("with another file of 1 MiB, what is named uses %d bytes, %v; before it was %d", named, err, after)
	}
	if _, err := disk.Usage(filepath.Join(dir, "missing"), "sub"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the directory: %v", err)
	}
}
