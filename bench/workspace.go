package main

import (
	"context"
	"errors"
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
	sample  string // file, "" when none is made
	temp    string // directory that holds those of them that are temporary; "" when none is
}

// openWorkspace decides where the files are, and makes a temporary directory if one is needed.
func openWorkspace(o *uploadOptions, out *console) (_ *workspace, err error) {
	w := &workspace{keyring: o.keyring}
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
		keys, err := w.openKeyring()
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

func (w *workspace) openKeyring() (*crypto.Keyring, error) {
	if err := os.MkdirAll(filepath.Dir(w.keyring), 0o777); err != nil {
		return nil, err
	}
	return crypto.OpenKeyring(w.keyring)
}

// remove removes what is temporary.
func (w *workspace) remove() error {
	if w.temp == "" {
		return nil
	}
	return os.RemoveAll(w.temp)
}
