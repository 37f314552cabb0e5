package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
)

const sampleName = "sample"

// A workspace is the files that a run works with.
type workspace struct {
	store   string // directory
	keyring string // file, outside of the store
	newKeys bool   // make it even if there is a store already
	sample  string // file, "" when none is made
	temp    string // directory that holds those of them that are temporary; "" when none is
}

// openWorkspace decides where the files are, and makes a temporary directory if one is needed.
func openWorkspace(o *uploadOptions, out *console) (_ *workspace, err error) {
	w := &workspace{keyring: o.keyring, newKeys: o.newKeys}
	if o.dir != "" {
		if w.store, err = filepath.Abs(o.dir); err != nil {
			return nil, err
		}
	}
	if err := w.checkKeyring(); err != nil {
		return nil, err
	}
	if o.dir == "" || len(o.files) == 0 {
		if w.temp, err = os.MkdirTemp("", "gabion-bench-"); err != nil {
			return nil, err
		}
	}
	if len(o.files) == 0 {
		w.sample = filepath.Join(w.temp, sampleName)
	}
	if o.dir == "" {
		w.store = filepath.Join(w.temp, "store")
		out.notef("no -dir given: the store is in %s, removed at the end", w.temp)
	}
	if w.keyring == "" {
		w.keyring = w.store + ".keyring"
	}
	return w, nil
}

// checkKeyring refuses a key ring that lies in the store that it protects.
func (w *workspace) checkKeyring() error {
	if w.keyring == "" || w.store == "" {
		return nil
	}
	path, err := filepath.Abs(w.keyring)
	if err != nil {
		return err
	}
	if rel, err := filepath.Rel(w.store, path); err == nil && filepath.IsLocal(rel) {
		return cli.Usagef("-keyring %s lies in the store, must lie outside", w.keyring)
	}
	return nil
}

// openStore opens the store and makes sure that the bucket is there. With sse it also returns the
// id of the key that new objects are encrypted under; the engine does not tell it for AES256.
func (w *workspace) openStore(ctx context.Context, sse bool, out *console) (_ *engine.Engine, keyID string, err error) {
	o := &engine.Options{Events: &engine.Events{
		Alarm: func(err error) { out.notef("the store reports: %v", err) },
	}}
	if sse {
		keys, err := openKeyring(w.keyring, w.newKeys || !isThere(w.store))
		if err != nil {
			return nil, "", err
		}
		if keyID, err = keys.CurrentKeyID(ctx); err != nil {
			return nil, "", err
		}
		o.Keys = keys
	}
	e, err := engine.Open(ctx, w.store, o)
	if err != nil {
		return nil, "", err
	}
	_, err = e.CreateBucket(ctx, &engine.CreateBucketRequest{Bucket: bucket})
	if err != nil && !errors.Is(err, engine.ErrBucketAlreadyExists) {
		return nil, "", errors.Join(err, e.Close())
	}
	return e, keyID, nil
}

// openKeyring opens a key ring. Where mayMake says so, it makes one that is not there: beside a store that
// is, the one that is missing may only be away.
func openKeyring(path string, mayMake bool) (*crypto.Keyring, error) {
	keys, err := crypto.OpenKeyring(path)
	switch {
	case !errors.Is(err, fs.ErrNotExist):
		return keys, err
	case !mayMake:
		return nil, fmt.Errorf("the store is there, but not its key ring; -new-keyring makes one: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	return crypto.CreateKeyring(path)
}

// isThere reports whether a directory holds anything, or cannot be looked into.
func isThere(dir string) bool {
	entries, err := os.ReadDir(dir)
	return len(entries) > 0 || err != nil && !errors.Is(err, fs.ErrNotExist)
}

// remove removes what is temporary.
func (w *workspace) remove() error {
	if w.temp == "" {
		return nil
	}
	return os.RemoveAll(w.temp)
}
