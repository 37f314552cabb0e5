package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/fleet"
)

// openKeyring opens the keys of encrypted objects. It makes those that are not there only with a
// new store, or when it is told to: beside a store that is there they may only be away, and what is
// encrypted with other ones meanwhile would be lost when they come back.
func (c *command) openKeyring() (*crypto.Keyring, error) {
	path := filepath.Join(c.dir, "keyring")
	ring, err := crypto.OpenKeyring(path)
	switch {
	case !errors.Is(err, fs.ErrNotExist):
		return ring, err
	case c.newKeyring:
	case c.fleet != (fleet.Config{}):
		return nil, fmt.Errorf("copy the fleet's key ring to %s, or make the first one of a new "+
			"fleet with -new-keyring, once: %w", path, err)
	case isThere(filepath.Join(c.dir, "store")):
		return nil, fmt.Errorf("the store is there, but not its key ring: put it back at %s, or, if "+
			"there is nothing that it has encrypted, make another with -new-keyring, once: %w", path, err)
	}
	return crypto.CreateKeyring(path)
}

// isThere reports whether a directory holds anything, or cannot be looked into.
func isThere(dir string) bool {
	entries, err := os.ReadDir(dir)
	return len(entries) > 0 || err != nil && !errors.Is(err, fs.ErrNotExist)
}
