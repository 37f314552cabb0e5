//go:build unix

package engine_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
)

// TestExposed opens stores that others can use. Each directory is told, and stays as it is.
func TestExposed(t *testing.T) {
	ring := keys(t)
	dir := filepath.Join(t.TempDir(), "store")
	var told []error
	o := &engine.Options{Keys: ring, Events: &engine.Events{Alarm: func(err error) { told = append(told, err) }}}
	life := func() {
		t.Helper()
		told = nil
		e, err := engine.Open(context.Background(), dir, o)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	life()
	if len(told) > 0 {
		t.Errorf("of a private store is told %v", told)
	}
	for _, c := range []struct {
		name string // "" is the store's directory
		mode fs.FileMode
	}{
		{"", 0o750}, {"", 0o701}, {"", 0o722}, {"", 0o777 | fs.ModeSticky}, {"index", 0o755}, {"volumes", 0o710}, {"index/00000001", 0o704},
	} {
		path := filepath.Join(dir, c.name)
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		life()
		var exposed *engine.ExposedError
		if len(told) != 1 || !errors.As(told[0], &exposed) || exposed.Path != path || exposed.Mode != fs.ModeDir|c.mode {
			t.Errorf("%s of mode %v: told is %v", path, c.mode, told)
		}
		if info, err := os.Stat(path); err != nil || info.Mode() != fs.ModeDir|c.mode {
			t.Errorf("%s of mode %v has mode %v now, %v", path, c.mode, info.Mode(), err)
		}
		if err := os.Chmod(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

// openRing is a key ring whose file others can read, as it says, or that panics when it is asked.
type openRing struct {
	*crypto.Keyring
	panics bool
}

func (r openRing) Exposed() error {
	if r.panics {
		panic("asked")
	}
	return r.Keyring.Exposed()
}

// TestExposedKeys opens a store with keys that others can read.
func TestExposedKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyring")
	ring, err := crypto.CreateKeyring(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	for _, keys := range []crypto.KeyProvider{ring, openRing{Keyring: ring}, openRing{Keyring: ring, panics: true}} {
		var told []error
		e := openTemp(t, &engine.Options{Keys: keys, Events: &engine.Events{Alarm: func(err error) { told = append(told, err) }}})
		readable := func(err error) bool { return errors.Is(err, crypto.ErrKeyringReadable) }
		o, wrapped := keys.(openRing)
		switch panics := wrapped && o.panics; {
		case !panics && !slices.ContainsFunc(told, readable):
			t.Errorf("told is %v", told)
		case panics && (len(told) == 0 || slices.ContainsFunc(told, readable)):
			t.Errorf("of a panic is told %v", told)
		}
		mustObject(t, e, "bucket", "key", "AES256", []byte("stone"))
	}
}
