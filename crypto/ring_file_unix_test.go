//go:build unix

package crypto_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/gabion-storage/gabion/crypto"
)

const nobody = 65534

func chmod(t *testing.T, path string, mode fs.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func symlink(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

// deepRing makes <top>/upper/lower/keys, and <top>/links/ring that leads there.
func deepRing(t *testing.T) (top string, ring *crypto.Keyring) {
	t.Helper()
	top = t.TempDir()
	for _, dir := range []string{"upper/lower", "links"} {
		if err := os.MkdirAll(filepath.Join(top, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	createRing(t, filepath.Join(top, "upper/lower/keys"))
	symlink(t, "../upper/lower/keys", filepath.Join(top, "links/ring"))
	return top, openRing(t, filepath.Join(top, "links/ring"))
}

// TestRingOthersCanChange refuses a ring that others can write or exchange, and nothing less.
func TestRingOthersCanChange(t *testing.T) {
	if os.Getuid() != 0 {
		t.Log("ownership is not tested, which only the superuser can change")
	}
	own := func(path string) { _ = os.Lchown(path, nobody, nobody) }
	for _, c := range []struct {
		what    string
		entry   string
		mode    fs.FileMode
		owner   bool // another one
		refused bool
	}{
		{"the group may write it", "upper/lower/keys", 0o620, false, true},
		{"everybody may write it", "upper/lower/keys", 0o602, false, true},
		{"it is another's", "upper/lower/keys", 0o600, true, true},
		{"the group may write its directory", "upper/lower", 0o770, false, true},
		{"everybody may write its directory", "upper/lower", 0o703, false, true},
		{"everybody may add to its directory", "upper/lower", 0o777 | fs.ModeSticky, false, false},
		{"its directory is another's", "upper/lower", 0o755, true, true},
		{"everybody may write the directory above", "upper", 0o777, false, true},
		{"everybody may write the directory of the link", "links", 0o777, false, true},
		{"everybody may add to the directory of the link", "links", 0o777 | fs.ModeSticky, false, false},
		{"the link is another's", "links/ring", 0, true, true},
		{"everybody may read all of it", "upper/lower/keys", 0o644, false, false},
		{"everybody may look into the directories", "upper/lower", 0o755, false, false},
	} {
		if c.owner && os.Getuid() != 0 {
			continue
		}
		t.Run(c.what, func(t *testing.T) {
			top, ring := deepRing(t)
			path := filepath.Join(top, "links/ring")
			if c.mode != 0 {
				chmod(t, filepath.Join(top, c.entry), c.mode)
			}
			if c.owner {
				own(filepath.Join(top, c.entry))
			}
			before := readFile(t, path)
			_, opening := crypto.OpenKeyring(path)
			_, rotating := ring.Rotate()
			for _, err := range []error{opening, rotating} {
				var refusal *crypto.KeyringError
				switch {
				case !c.refused && err != nil:
					t.Error(err)
				case c.refused && (!errors.Is(err, crypto.ErrKeyringWritable) || !errors.As(err, &refusal) || refusal.Path != path):
					t.Errorf("refused is %v", err)
				}
			}
			if same := slices.Equal(before, readFile(t, path)); same != c.refused {
				t.Errorf("the file is as it was: %t", same)
			}
			if _, err := crypto.CreateKeyring(filepath.Join(top, "upper/lower/new")); c.refused != errors.Is(err, crypto.ErrKeyringWritable) &&
				(strings.HasSuffix(c.entry, "lower") || c.entry == "upper") {
				t.Errorf("a new one beside it: %v", err)
			}
		})
	}
}

// TestRingOthersPutThere has an open ring not take in what somebody else could have written.
func TestRingOthersPutThere(t *testing.T) {
	path, ring := ringIn(t)
	other := openRing(t, path)
	_, w := generate(t, other, rotate(t, other))
	chmod(t, path, 0o622)
	if _, err := ring.Unwrap(t.Context(), w); !errors.Is(err, crypto.ErrKeyringWritable) {
		t.Errorf("a key that others could have made: %v", err)
	}
	if id := currentID(t, ring); id == w.KeyID {
		t.Error("it is the current one")
	}
	chmod(t, path, 0o600)
	if id := currentID(t, ring); id != w.KeyID {
		t.Errorf("afterwards current is %s, not %s", id, w.KeyID)
	}
}

func TestExposedRing(t *testing.T) {
	path, ring := ringIn(t)
	for _, mode := range []fs.FileMode{0o600, 0o400, 0o640, 0o604, 0o644, 0o700} {
		chmod(t, path, mode)
		exposed := mode&0o044 != 0
		for _, ring := range []*crypto.Keyring{ring, openRing(t, path)} {
			err := ring.Exposed()
			var warning *crypto.KeyringError
			switch {
			case !exposed && err != nil:
				t.Errorf("mode %o: %v", mode, err)
			case exposed && (!errors.Is(err, crypto.ErrKeyringReadable) || !errors.As(err, &warning) || warning.Path != path):
				t.Errorf("mode %o: %v", mode, err)
			}
		}
	}
	chmod(t, path, 0o644)
	rotate(t, ring)
	checkAlone(t, path)
	if err := ring.Exposed(); err != nil {
		t.Errorf("after rotation: %v", err)
	}
}

// TestRingModes makes all files of a ring under masks that would let everybody in, and the owner
// not. That of a temporary file is right from the moment it is there.
func TestRingModes(t *testing.T) {
	for _, mask := range []int{0, 0o022, 0o077, 0o277} {
		path := filepath.Join(t.TempDir(), "keys")
		old := syscall.Umask(mask)
		ring, err := crypto.CreateKeyring(path)
		if err == nil {
			_, err = ring.Rotate()
		}
		temp, tempErr := crypto.NewRingTemp(path)
		syscall.Umask(old)
		if err := errors.Join(err, tempErr); err != nil {
			t.Fatalf("mask %03o: %v", mask, err)
		}
		if err := temp.Close(); err != nil {
			t.Error(err)
		}
		for _, name := range names(t, filepath.Dir(path)) {
			if info, err := os.Lstat(filepath.Join(filepath.Dir(path), name)); err != nil || info.Mode() != 0o600 {
				t.Errorf("mask %03o: %s is %v, %v", mask, name, info.Mode(), err)
			}
		}
		openRing(t, path)
		checkAlone(t, path)
	}
}

// TestRotateBehindSymlinks replaces the file at the end of links, in its own directory.
func TestRotateBehindSymlinks(t *testing.T) {
	top, ring := deepRing(t)
	links := map[string]string{"links/again": "ring", "links/whole": filepath.Join(top, "upper/lower/keys"), "links/around": "../links/./again"}
	for name, target := range links {
		symlink(t, target, filepath.Join(top, name))
	}
	symlink(t, "lower", filepath.Join(top, "upper/directory"))
	ids := ring.KeyIDs()
	real := filepath.Join(top, "upper/lower/keys")
	for _, name := range []string{"links/ring", "links/again", "links/whole", "links/around", "upper/directory/keys"} {
		path := filepath.Join(top, name)
		writeFile(t, filepath.Join(filepath.Dir(real), ".keys.tmp-"+strings.Repeat("0", 32)), nil)
		ids = append(ids, rotate(t, openRing(t, path)))
		checkAlone(t, real)
		if got := openRing(t, real).KeyIDs(); !slices.Equal(got, ids) {
			t.Errorf("after rotating %s the file has %v, wanted are %v", name, got, ids)
		}
	}
	for name, target := range links {
		if got, err := os.Readlink(filepath.Join(top, name)); err != nil || got != target {
			t.Errorf("%s leads to %q, %v", name, got, err)
		}
	}
	if got := names(t, filepath.Join(top, "links")); !slices.Equal(got, []string{"again", "around", "ring", "whole"}) {
		t.Errorf("beside the links are %v", got)
	}
}

func TestRingBehindBadSymlinks(t *testing.T) {
	dir := t.TempDir()
	symlink(t, "nowhere", filepath.Join(dir, "dangling"))
	symlink(t, "two", filepath.Join(dir, "one"))
	symlink(t, "one", filepath.Join(dir, "two"))
	_, err := crypto.OpenKeyring(filepath.Join(dir, "dangling"))
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), filepath.Join(dir, "nowhere")) {
		t.Errorf("a dangling link: %v", err)
	}
	if _, err := crypto.OpenKeyring(filepath.Join(dir, "one")); err == nil || !strings.Contains(err.Error(), "circle") {
		t.Errorf("a loop: %v", err)
	}
	if got := names(t, dir); !slices.Equal(got, []string{"dangling", "one", "two"}) {
		t.Errorf("the directory holds %v", got)
	}

	// A link that is led elsewhere while the ring is open.
	top, ring := deepRing(t)
	path := filepath.Join(top, "links/ring")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	symlink(t, "../nowhere", path)
	if _, err := ring.Rotate(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("rotating a dangling link: %v", err)
	}
}

// TestHostileRings puts what is no file, or endless, in the place of a ring and of its lock.
// Nothing may wait for it or read it all.
func TestHostileRings(t *testing.T) {
	hostile := map[string]func(path string) error{
		"FIFO": func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"link to a FIFO": func(path string) error {
			return errors.Join(syscall.Mkfifo(path+"-fifo", 0o600), os.Symlink(path+"-fifo", path))
		},
		"link to zeros":   func(path string) error { return os.Symlink("/dev/zero", path) },
		"directory":       func(path string) error { return os.Mkdir(path, 0o700) },
		"endless file":    func(path string) error { return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 1<<40)) },
		"empty file":      func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"file of newline": func(path string) error { return os.WriteFile(path, []byte("\n"), 0o600) },
	}
	for what, put := range hostile {
		t.Run(what, func(t *testing.T) {
			path, ring := ringIn(t)
			other := openRing(t, path)
			_, w := generate(t, other, rotate(t, other))
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := put(path); err != nil {
				t.Fatal(err)
			}
			_, opening := crypto.OpenKeyring(path)
			_, rotating := ring.Rotate()
			_, unwrapping := ring.Unwrap(t.Context(), w)
			for _, err := range []error{opening, rotating, unwrapping} {
				var refusal *crypto.KeyringError
				if !errors.As(err, &refusal) || refusal.Path != path || errors.Is(err, crypto.ErrKeyNotFound) {
					t.Errorf("refused is %v", err)
				}
			}
			generate(t, ring, "")
		})
	}
	for _, what := range []string{"FIFO", "link to a FIFO", "link to zeros", "directory"} {
		t.Run(what+" as lock", func(t *testing.T) {
			path, ring := ringIn(t)
			lock := filepath.Join(filepath.Dir(path), ".keys.lock")
			if err := errors.Join(os.Remove(lock), hostile[what](lock)); err != nil {
				t.Fatal(err)
			}
			if _, err := ring.Rotate(); err == nil || !strings.Contains(err.Error(), lock) {
				t.Errorf("refused is %v", err)
			}
		})
	}
	t.Run("lock that others can take", func(t *testing.T) {
		path, ring := ringIn(t)
		chmod(t, filepath.Join(filepath.Dir(path), ".keys.lock"), 0o660)
		if _, err := ring.Rotate(); err == nil {
			t.Error("it is taken")
		}
	})
}

// TestRotateInProcesses rotates one ring in several processes at once, and opens it. No generation
// may be lost, and no process may take the file that another one is writing for a leftover.
func TestRotateInProcesses(t *testing.T) {
	const processes, rotations = 4, 10
	if path := os.Getenv("GABION_ROTATE_RING"); path != "" {
		ring := openRing(t, path)
		for range rotations {
			key, w := generate(t, ring, rotate(t, ring))
			checkUnwraps(t, openRing(t, path), w, key)
		}
		return
	}
	path, ring := ringIn(t)
	var wg sync.WaitGroup
	for i := range processes {
		wg.Go(func() {
			child := exec.Command(os.Args[0], "-test.run=^TestRotateInProcesses$")
			child.Env = append(os.Environ(), "GABION_ROTATE_RING="+path)
			if out, err := child.CombinedOutput(); err != nil {
				t.Errorf("process %s: %v: %s", strconv.Itoa(i), err, out)
			}
		})
	}
	wg.Wait()
	checkAlone(t, path)
	if ids := openRing(t, path).KeyIDs(); len(ids) != 1+processes*rotations {
		t.Errorf("%d generations, wanted are %d", len(ids), 1+processes*rotations)
	}
	if ids := ring.KeyIDs(); len(ids) != 1 {
		t.Errorf("%d generations are known without a look", len(ids))
	}
	if got, want := currentID(t, ring), openRing(t, path).KeyIDs(); got != want[len(want)-1] {
		t.Errorf("current is %s", got)
	}
}
