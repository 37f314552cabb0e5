package crypto_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/crypto"
)

// ringIn makes a key ring in a directory of its own.
func ringIn(t testing.TB) (path string, ring *crypto.Keyring) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "keys")
	return path, createRing(t, path)
}

func currentID(t testing.TB, ring *crypto.Keyring) string {
	t.Helper()
	id, err := ring.CurrentKeyID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestLeftoversAreRemoved(t *testing.T) {
	digits := strings.Repeat("0123456789abcdef", 2)
	path, ring := ringIn(t)
	dir := filepath.Dir(path)
	others := []string{
		".keys.tmp-" + digits[1:], ".keys.tmp-" + digits + "0", ".keys.tmp-" + strings.ToUpper(digits), ".keys.tmp-",
		".other.tmp-" + digits, "keys.tmp-" + digits, ".keys.tmp-" + digits[1:] + "g", ".keys.new-" + digits,
	}
	for _, name := range others {
		writeFile(t, filepath.Join(dir, name), nil)
	}
	folder := ".keys.tmp-" + strings.Repeat("d", 32)
	if err := os.Mkdir(filepath.Join(dir, folder), 0o700); err != nil {
		t.Fatal(err)
	}
	want := slices.Sorted(slices.Values(append(others, folder, "keys", ".keys.lock")))
	for _, c := range []struct {
		what string
		call func() error
	}{
		{"OpenKeyring", func() error { _, err := crypto.OpenKeyring(path); return err }},
		{"Rotate", func() error { _, err := ring.Rotate(); return err }},
		{"CreateKeyring", func() error {
			if err := os.Remove(path); err != nil {
				return err
			}
			_, err := crypto.CreateKeyring(path)
			return err
		}},
	} {
		for _, d := range []string{digits, strings.Repeat("0", 32)} {
			writeFile(t, filepath.Join(dir, ".keys.tmp-"+d), readFile(t, path))
		}
		if err := c.call(); err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
		if got := names(t, dir); !slices.Equal(got, want) {
			t.Errorf("after %s the directory holds %v,\nwanted are %v", c.what, got, want)
		}
	}
}

// TestRotatedElsewhere rotates a ring that another Keyring, as of another process, has open.
func TestRotatedElsewhere(t *testing.T) {
	path, here := ringIn(t)
	there := openRing(t, path)
	key, w := generate(t, there, rotate(t, there))
	checkUnwraps(t, here, w, key)

	current := rotate(t, there)
	if id := currentID(t, here); id != current {
		t.Errorf("current here is %s, there %s", id, current)
	}
	current = rotate(t, there)
	if key, w := generate(t, here, ""); w.KeyID != current {
		t.Errorf("a key is wrapped under %s, current is %s", w.KeyID, current)
	} else {
		checkUnwraps(t, there, w, key)
	}
	current = rotate(t, there)
	if w, err := here.Wrap(t.Context(), current, key); err != nil || w.KeyID != current {
		t.Errorf("wrapping under %s: %s, %v", current, w.KeyID, err)
	}
	if ids := here.KeyIDs(); !slices.Equal(ids, there.KeyIDs()) {
		t.Errorf("here are %v, there %v", ids, there.KeyIDs())
	}
}

// TestOlderRingPutBack wraps nothing under a generation that the file has lost, and unwraps what
// was.
func TestOlderRingPutBack(t *testing.T) {
	path, ring := ringIn(t)
	older, first := readFile(t, path), currentID(t, ring)
	lost := rotate(t, ring)
	key, w := generate(t, ring, "")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	writeFile(t, path, older)
	if _, w := generate(t, ring, ""); w.KeyID != first || currentID(t, ring) != first {
		t.Errorf("a key is wrapped under %s, the file has %s", w.KeyID, first)
	}
	if _, err := ring.Wrap(t.Context(), lost, key); !errors.Is(err, crypto.ErrKeyNotFound) {
		t.Errorf("wrapping under what the file has lost: %v", err)
	}
	checkUnwraps(t, ring, w, key)
	last := rotate(t, ring)
	if ids := openRing(t, path).KeyIDs(); !slices.Equal(ids, []string{first, lost, last}) {
		t.Errorf("after rotation the file has %v", ids)
	}
}

// TestRingAway takes the file away: what is known stays in use.
func TestRingAway(t *testing.T) {
	path, ring := ringIn(t)
	other := createRing(t, filepath.Join(t.TempDir(), "keys"))
	_, unknown := generate(t, other, "")
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	key, w := generate(t, ring, "")
	checkUnwraps(t, ring, w, key)
	_, err := ring.Unwrap(t.Context(), unknown)
	if !errors.Is(err, crypto.ErrKeyNotFound) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an unknown key: %v", err)
	}
	if _, err := ring.Rotate(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("rotating: %v", err)
	}
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	if _, err := ring.Unwrap(t.Context(), unknown); !errors.Is(err, crypto.ErrKeyNotFound) || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an unknown key when it is back: %v", err)
	}
}

// TestUnknownKeysReadNothing asks for unknown keys while the file has other content than was read,
// which its size and time do not show. Who reads it would notice.
func TestUnknownKeysReadNothing(t *testing.T) {
	path, ring := ringIn(t)
	elsewhere, other := ringIn(t)
	key, unknown := generate(t, other, "")
	text := readFile(t, path)
	stamp := time.Now().Add(-time.Hour)
	put := func(text []byte, at time.Time) {
		t.Helper()
		writeFile(t, path, text)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	unwrap := func() error { _, err := ring.Unwrap(t.Context(), unknown); return err }
	put(text, stamp)
	if err := unwrap(); !errors.Is(err, crypto.ErrKeyNotFound) {
		t.Fatal(err)
	}
	put(bytes.ToUpper(text), stamp)
	for range 3 {
		if err := unwrap(); !errors.Is(err, crypto.ErrKeyNotFound) {
			t.Errorf("an unknown key: %v", err)
		}
	}

	stamp = stamp.Add(time.Minute)
	put(bytes.ToUpper(text), stamp)
	for range 3 { // damage is remembered, too
		var damage *crypto.KeyringError
		if err := unwrap(); !errors.As(err, &damage) || errors.Is(err, crypto.ErrKeyNotFound) {
			t.Errorf("an unknown key and a damaged file: %v", err)
		}
		put(text, stamp)
	}
	generate(t, ring, "") // what is known stays in use

	put(readFile(t, elsewhere), stamp.Add(time.Minute))
	checkUnwraps(t, ring, unknown, key)
}

// TestChangedFilesAreRead changes one thing at a time that shows that a file is another one.
func TestChangedFilesAreRead(t *testing.T) {
	stamp := time.Now().Add(-time.Hour)
	stamped := func(t *testing.T, path string, text []byte) {
		t.Helper()
		writeFile(t, path, text)
		if err := os.Chtimes(path, stamp, stamp); err != nil {
			t.Fatal(err)
		}
	}
	for what, change := range map[string]func(t *testing.T, path string, text []byte){
		"file": func(t *testing.T, path string, text []byte) {
			next := path + "-next"
			stamped(t, next, text)
			if err := os.Rename(next, path); err != nil {
				t.Fatal(err)
			}
		},
		"time": func(t *testing.T, path string, text []byte) { writeFile(t, path, text) },
		"size": func(t *testing.T, path string, text []byte) {
			stamped(t, path, []byte(ringText(keyLine(1, secret[:])+strings.Split(string(text), "\n")[1]+"\n")))
		},
	} {
		t.Run(what, func(t *testing.T) {
			path, _ := ringIn(t)
			stamped(t, path, readFile(t, path))
			ring := openRing(t, path)
			elsewhere, other := ringIn(t)
			key, w := generate(t, other, "")
			change(t, path, readFile(t, elsewhere))
			checkUnwraps(t, ring, w, key)
		})
	}
}
