//go:build unix

package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/engine"
)

// hostileStore makes a store with an object in the index and one in a volume, as Close leaves it,
// or as a kill does.
func hostileStore(t *testing.T, killed bool) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "store")
	e := open(t, dir, nil)
	mustObject(t, e, "bucket", "in-volume", "", random(1, 100_000))
	mustPut(t, e, engine.PutObjectRequest{Bucket: "bucket", Key: "in-index", Body: bytes.NewReader(random(2, 1000))})
	if !killed {
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	image := filepath.Join(t.TempDir(), "store")
	if err := os.CopyFS(image, os.DirFS(dir)); err != nil { // nobody writes just now
		t.Fatal(err)
	}
	return image
}

// hostileEntries are the paths of everything in a store's directory, relative to it. There must be
// something: a test that goes through nothing has shown nothing.
func hostileEntries(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if path != dir {
			name, _ := filepath.Rel(dir, path)
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(names) == 0 {
		t.Fatalf("%s is empty", dir)
	}
	return names
}

// useHostile opens a store, uses all of it and closes it. The error is Open's, or that of a read. A
// store that does not come back in time fails the test: nothing here may wait for anybody.
func useHostile(t *testing.T, dir string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		e, err := engine.Open(ctx, dir, nil)
		if err != nil {
			done <- err
			return
		}
		var errs []error
		for _, key := range []string{"in-volume", "in-index"} {
			obj, err := e.GetObject(ctx, &engine.GetObjectRequest{Bucket: "bucket", Key: key})
			if err == nil {
				_, err = io.Copy(io.Discard, obj)
				err = errors.Join(err, obj.Close())
			}
			errs = append(errs, err)
		}
		_, putErr := e.PutObject(ctx, &engine.PutObjectRequest{Bucket: "bucket", Key: "new", Body: bytes.NewReader(random(3, 100_000))})
		_, deleteErr := e.DeleteObject(ctx, &engine.DeleteObjectRequest{Bucket: "bucket", Key: "in-volume"})
		_, reclaimErr := e.Reclaim(ctx, nil)
		done <- errors.Join(append(errs, putErr, deleteErr, reclaimErr, e.Close())...)
	}()
	select {
	case err := <-done:
		return err
	case <-time.After(3 * patience):
		t.Fatal("the store hangs")
		return nil
	}
}

// fingerprint describes all that is below dir: names, kinds, sizes, times of the last change and
// contents.
func fingerprint(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintln(&all, path, info.Mode(), info.Size(), info.ModTime())
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			all.Write(data)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// hostileKinds are what may stand in the place of a file or a directory of a store. outside is
// where what was there has been taken to.
var hostileKinds = map[string]func(path, outside string) error{
	"a symlink":          func(path, outside string) error { return os.Symlink(outside, path) },
	"a dangling symlink": func(path, outside string) error { return os.Symlink(outside+".new", path) },
	"a FIFO":             func(path, _ string) error { return syscall.Mkfifo(path, 0o600) },
	"another kind": func(path, outside string) error {
		if info, err := os.Stat(outside); err != nil || info.IsDir() {
			return errors.Join(err, os.WriteFile(path, nil, 0o600))
		}
		return os.Mkdir(path, 0o700)
	},
}

// TestHostileDirectory puts a symlink, a FIFO or something else in the place of everything that a
// store has in its directory. Nothing outside changes, nothing hangs, and what is missed is missed
// by an error.
func TestHostileDirectory(t *testing.T) {
	for _, killed := range []bool{false, true} {
		sound := hostileStore(t, killed)
		for _, name := range hostileEntries(t, sound) {
			for kind, put := range hostileKinds {
				t.Run(fmt.Sprintf("killed %v, %s is %s", killed, name, kind), func(t *testing.T) {
					t.Parallel()
					dir, outside := filepath.Join(t.TempDir(), "store"), filepath.Join(t.TempDir(), "outside")
					if err := errors.Join(os.CopyFS(dir, os.DirFS(sound)), os.Rename(filepath.Join(dir, name), outside)); err != nil {
						t.Fatal(err)
					}
					if err := put(filepath.Join(dir, name), outside); err != nil {
						t.Fatal(err)
					}
					before := fingerprint(t, filepath.Dir(outside))
					err := useHostile(t, dir)
					if after := fingerprint(t, filepath.Dir(outside)); after != before {
						t.Errorf("what is outside has changed: %d bytes, %d before", len(after), len(before))
					}
					var corrupt *engine.CorruptionError
					if harmless(name) {
						if err != nil && !strings.Contains(err.Error(), name) {
							t.Errorf("%v", err)
						}
					} else if !errors.As(err, &corrupt) {
						t.Errorf("%v, wanted is a CorruptionError", err)
					}
				})
			}
		}
	}
}

// harmless are entries of a store that Open may replace.
func harmless(name string) bool {
	base := filepath.Base(name)
	if filepath.Ext(filepath.Dir(name)) == ".badger" { // whose keys are Badger's matter
		return base != "000001.vlog"
	}
	return base == "RESERVE" || base == "DISCARD" || base == "KEYREGISTRY" || filepath.Ext(base) == ".vlog"
}

// TestHugeFiles makes every file of a store longer, up to a terabyte of nothing: that costs no time
// and no memory.
func TestHugeFiles(t *testing.T) {
	for _, killed := range []bool{false, true} {
		sound := hostileStore(t, killed)
		for _, name := range hostileEntries(t, sound) {
			if info, err := os.Stat(filepath.Join(sound, name)); err != nil || info.IsDir() {
				continue
			}
			t.Run(fmt.Sprintf("killed %v, %s", killed, name), func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "store")
				if err := os.CopyFS(dir, os.DirFS(sound)); err != nil {
					t.Fatal(err)
				}
				if err := os.Truncate(filepath.Join(dir, name), 1<<40); err != nil {
					t.Skip(err)
				}
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				err := useHostile(t, dir)
				runtime.ReadMemStats(&after)
				if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 256 {
					t.Errorf("%d MiB were allocated", used)
				}
				if err != nil && !strings.Contains(err.Error(), filepath.Base(name)) &&
					!strings.HasPrefix(name, "volumes") {
					t.Errorf("the error does not name the file: %v", err)
				}
			})
		}
	}
}

// TestHardLinks has a copy of a closed store that shares every file with it, as cp -al makes one.
// Whatever is done to the store, the copy stays as it was.
func TestHardLinks(t *testing.T) {
	dir := hostileStore(t, false)
	saved := filepath.Join(filepath.Dir(dir), "copy")
	for _, name := range hostileEntries(t, dir) {
		link := filepath.Join(saved, name)
		if err := os.MkdirAll(filepath.Dir(link), 0o700); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.IsDir() {
			continue
		}
		if err := os.Link(filepath.Join(dir, name), link); err != nil {
			t.Skip(err)
		}
	}
	before := fingerprint(t, saved)
	for range 2 {
		if err := useHostile(t, dir); err != nil && !errors.Is(err, engine.ErrNoSuchKey) {
			t.Error(err)
		}
	}
	if fingerprint(t, saved) != before {
		t.Error("the copy has changed")
	}
	if err := useHostile(t, saved); err != nil {
		t.Errorf("the copy: %v", err)
	}
}

// TestForeignFiles puts what is not a store's into the directories of one: names of any bytes, and
// very many. Nothing of it is touched or minded, also after another Close.
func TestForeignFiles(t *testing.T) {
	dir := hostileStore(t, false)
	var foreign []string
	for _, in := range []string{"", "index", "index/00000001", "volumes"} {
		for _, name := range []string{"lost+found/", "\xff\xfe", "a\nb", strings.Repeat("n", 255), ".hidden", "0000000000000001.LOG", "1.log", "link@"} {
			path := filepath.Join(dir, in, name)
			var err error
			switch name[len(name)-1] {
			case '/':
				err = os.Mkdir(path, 0o700)
			case '@':
				err = os.Symlink("nowhere", path)
			default:
				err = os.WriteFile(path, []byte("foreign"), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			foreign = append(foreign, path)
		}
	}
	for n := range 10_000 {
		path := filepath.Join(dir, "volumes", fmt.Sprint("foreign", n))
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		foreign = append(foreign, path)
	}
	for range 2 {
		if err := useHostile(t, dir); err != nil && !errors.Is(err, engine.ErrNoSuchKey) {
			t.Fatal(err)
		}
	}
	for _, path := range foreign {
		if _, err := os.Lstat(path); err != nil {
			t.Error(err)
		}
	}
}

// TestLinkedStore opens a store through a symlink, which then leads elsewhere.
func TestLinkedStore(t *testing.T) {
	dir := hostileStore(t, false)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	e := open(t, link, nil)
	other := t.TempDir()
	if err := errors.Join(os.Remove(link), os.Symlink(other, link)); err != nil {
		t.Fatal(err)
	}
	mustObject(t, e, "bucket", "new", "", random(4, 100_000))
	mustDelete(t, e, "bucket", "in-volume")
	mustReclaim(t, e)
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(other); err != nil || len(left) > 0 {
		t.Errorf("%v, %v were made where the link leads now", left, err)
	}
	e = open(t, dir, nil)
	if !bytes.Equal(readAll(t, e, "bucket", "new"), random(4, 100_000)) {
		t.Error("what was written is not there")
	}
}
