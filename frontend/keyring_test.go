package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// ending ends a context when something is written to it: what serves says so.
type ending context.CancelFunc

func (end ending) Write(p []byte) (int, error) {
	end()
	return len(p), nil
}

// serveOnce runs the command over a directory until it serves.
func serveOnce(t *testing.T, dir string, args ...string) error {
	t.Helper()
	c, err := parse(append([]string{"-dir", dir, "-oss", ":0", "-s3", ":0"}, args...))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	return run(ctx, c, ending(cancel), t.Output())
}

// wantRefused wants an error that says what to do, and that nothing was made.
func wantRefused(t *testing.T, err error, dir string) {
	t.Helper()
	if err == nil {
		t.Error("it serves without the key ring")
	} else if !strings.Contains(err.Error(), "-new-keyring") || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it says %q", err)
	}
	for _, name := range []string{"keyring", "keys"} {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is there now: %v", name, err)
		}
	}
}

// Beside a store that is there a key ring that is missing may only be away: what is wrapped by
// another one meanwhile would be lost when it comes back.
func TestAMissingKeyRingIsNotReplaced(t *testing.T) {
	dir := t.TempDir()
	if err := serveOnce(t, dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"keyring", "keys"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	wantRefused(t, serveOnce(t, dir), dir)
	for range 2 { // the second time it is there, and stays
		if err := serveOnce(t, dir, "-new-keyring"); err != nil {
			t.Error(err)
		}
	}
}

// An empty directory, as that of a disk, is no store.
func TestAKeyRingIsMadeWithTheStore(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "store"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := serveOnce(t, dir); err != nil {
		t.Error(err)
	}
}

// Whether the store of a fleet is new cannot be told from the directory.
func TestAFleetsKeyRingIsNotMade(t *testing.T) {
	dir := t.TempDir()
	fleet := []string{"-index", "none", "-chunks", "none", "-node", "a"}
	wantRefused(t, serveOnce(t, dir, fleet...), dir)
	if err := serveOnce(t, dir, append(fleet, "-new-keyring")...); err == nil {
		t.Error("there is such a fleet")
	}
	if _, err := os.Stat(filepath.Join(dir, "keyring")); err != nil {
		t.Error(err)
	}
}
