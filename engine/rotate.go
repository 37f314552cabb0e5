package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/index"
)

// Limits of one step of a rotation.
const (
	rotateScan    = 4096 // records looked at in one snapshot
	rotateBatch   = 256  // keys collected from it
	rotateWorkers = 16   // keys wrapped at a time; those that are ready together share a commit
	rotateErrors  = 16   // errors reported one by one
)

// RotateKeysRequest is empty.
type RotateKeysRequest struct{}

// RotateKeysResult says what was done.
type RotateKeysResult struct {
	CurrentKeyID string // the provider's current key at the start
	Rewrapped    int64  // data keys wrapped anew
}

// RotateKeys wraps the data keys of all objects and open uploads anew that are not wrapped under the
// current key of Options.Keys; call it after Keyring.Rotate, say. Data is not touched. Content that
// was asked to be under a KMS key of its own keeps that key, which a KMS renews by itself, and
// content under a client's key is left alone.
//
// It may be called beside any other calls, and be stopped at any point, by ctx or by a crash; what
// is done stays done, and another call goes on with the rest. When it returns without error, no
// object or upload that was there when it was called is wrapped under an older key. One that was
// being initiated just then may be: another call finds it. Older keys are still needed for backups.
//
// A data key that cannot be unwrapped, or wrapped, stays as it is and is part of the error, by which
// object or upload it belongs to; all others are wrapped anew all the same. Without Options.Keys it
// fails with ErrKmsServiceNotEnabled.
func (e *Engine) RotateKeys(ctx context.Context, _ *RotateKeysRequest) (_ *RotateKeysResult, err error) {
	c, err := e.begin(ctx, call{op: "RotateKeys"})
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	if e.opts.Keys == nil {
		return nil, ErrKmsServiceNotEnabled
	}
	r := &rotation{engine: e, keys: e.opts.Keys}
	if r.current, err = r.keys.CurrentKeyID(ctx); err != nil {
		return nil, err
	}
	// Copying may carry an old key to where a pass has been already, so passes are repeated until one
	// has nothing to do.
	for before := int64(-1); before < r.done; {
		before = r.done
		r.failed = nil
		if err := r.pass(ctx); err != nil {
			return nil, err
		}
	}
	if err := r.failure(); err != nil {
		return nil, err
	}
	return &RotateKeysResult{CurrentKeyID: r.current, Rewrapped: r.done}, nil
}

// A rotation is one RotateKeys under way.
type rotation struct {
	engine  *Engine
	keys    crypto.KeyProvider
	current string

	mu     sync.Mutex // guards the fields below while workers run
	done   int64
	failed []error
}

// failure joins what failed in the last pass.
func (r *rotation) failure() error {
	if n := len(r.failed); n > rotateErrors {
		return errors.Join(append(r.failed[:rotateErrors:rotateErrors], fmt.Errorf("and %d more", n-rotateErrors))...)
	}
	return errors.Join(r.failed...)
}

// isStale says whether a data key may be wrapped under another key than it should be.
func (r *rotation) isStale(enc *index.Encryption) bool {
	switch {
	case enc.Algorithm == "" || enc.Customer:
		return false
	case enc.KeyID != "":
		return enc.Wrapper != enc.KeyID
	}
	return enc.Wrapper != r.current
}

// A staleKey is a wrapped data key, of an object or upload, and how to store it wrapped anew: put
// replaces the old form by the fresh one, unless the record is gone or has another by now.
type staleKey struct {
	index.Encryption
	of  string
	put func(tx index.Tx, old, fresh *index.Encryption) error
}

// errNotReplaced is returned when the key to replace is not there any more.
var errNotReplaced = errors.New("engine: the data key is not there any more")

// replaceKey makes enc the fresh form of a key, if it is the old one. err is that of getting enc.
func replaceKey(enc, old, fresh *index.Encryption, err error) error {
	if errors.Is(err, index.ErrNotFound) || err == nil && !bytes.Equal(enc.WrappedKey, old.WrappedKey) {
		return errNotReplaced
	}
	enc.WrappedKey, enc.Wrapper = fresh.WrappedKey, fresh.Wrapper
	return err
}

// rotatePlace is how far a pass has come: behind this upload, or this object, of a bucket.
type rotatePlace struct {
	key, id string
	end     bool // there is nothing more
}

// pass goes over all records once. Uploads come before objects, so that one that is completed
// meanwhile is met in one of the two.
func (r *rotation) pass(ctx context.Context) error {
	var buckets []string
	err := r.engine.index.View(ctx, func(reader index.Reader) error {
		for name, err := range bucketNames(reader) {
			if err != nil {
				return err
			}
			buckets = append(buckets, name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, scan := range []func(index.Reader, string, *rotatePlace) ([]staleKey, error){r.staleUploads, r.staleObjects} {
		for _, bucket := range buckets {
			for at := (rotatePlace{}); !at.end; {
				var stale []staleKey
				err := r.engine.index.View(ctx, func(reader index.Reader) (err error) {
					stale, err = scan(reader, bucket, &at)
					return err
				})
				if err != nil {
					return err
				}
				if err := r.rewrapAll(ctx, stale); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// staleObjects collects stale keys of objects, from a place on, and moves the place on.
func (r *rotation) staleObjects(reader index.Reader, bucket string, at *rotatePlace) (stale []staleKey, err error) {
	seen := 0
	for entry, err := range index.Scan(reader, index.ObjectsAfter(bucket, "", at.key)) {
		if err != nil {
			return nil, err
		}
		if seen++; seen > rotateScan || len(stale) == rotateBatch {
			return stale, nil
		}
		if _, at.key, err = index.ParseObjectKey(entry.Key); err != nil {
			return nil, err
		}
		if r.isStale(&entry.Record.Encryption) {
			stale = append(stale, staleKey{entry.Record.Encryption, fmt.Sprintf("object %s/%s", bucket, at.key), func(tx index.Tx, old, fresh *index.Encryption) error {
				rec, err := index.Get(tx, entry.Key)
				if err := replaceKey(&rec.Encryption, old, fresh, err); err != nil {
					return err
				}
				return index.Put(tx, entry.Key, &rec)
			}})
		}
	}
	at.end = true
	return stale, nil
}

// staleUploads does the same for open uploads.
func (r *rotation) staleUploads(reader index.Reader, bucket string, at *rotatePlace) (stale []staleKey, err error) {
	seen := 0
	for entry, err := range index.Scan(reader, index.UploadsAfter(bucket, "", at.key, at.id)) {
		if err != nil {
			return nil, err
		}
		if seen++; seen > rotateScan || len(stale) == rotateBatch {
			return stale, nil
		}
		_, key, id, err := index.ParseUploadKey(entry.Key)
		if err != nil {
			return nil, err
		}
		at.key, at.id = key, id.String()
		if r.isStale(&entry.Record.Encryption) {
			stale = append(stale, staleKey{entry.Record.Encryption, fmt.Sprintf("upload %s of %s/%s", at.id, bucket, at.key), func(tx index.Tx, old, fresh *index.Encryption) error {
				rec, err := index.Get(tx, entry.Key)
				if err := replaceKey(&rec.Encryption, old, fresh, err); err != nil {
					return err
				}
				return index.Put(tx, entry.Key, &rec)
			}})
		}
	}
	at.end = true
	return stale, nil
}

// rewrapAll wraps keys anew, several at a time. The error is one that concerns all of them; what one
// key fails with is noted.
func (r *rotation) rewrapAll(ctx context.Context, stale []staleKey) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan *staleKey)
	var workers sync.WaitGroup
	for range min(rotateWorkers, len(stale)) {
		workers.Go(func() {
			for k := range next {
				if err := r.rewrap(ctx, k); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := range stale {
		if ctx.Err() != nil {
			break
		}
		next <- &stale[i]
	}
	close(next)
	workers.Wait()
	return context.Cause(ctx)
}

// rewrap wraps one key anew, outside of any transaction, and then stores it.
func (r *rotation) rewrap(ctx context.Context, k *staleKey) error {
	if ctx.Err() != nil {
		return nil
	}
	fresh, err := r.wrap(ctx, k)
	if err != nil && ctx.Err() == nil {
		r.note(0, fmt.Errorf("%s: %w", k.of, err))
		return nil
	}
	// A provider may have another name for the key that was asked for.
	if err != nil || fresh.Wrapper == k.Wrapper {
		return err
	}
	err = r.engine.index.Update(ctx, func(tx index.Tx) error { return k.put(tx, &k.Encryption, fresh) })
	if errors.Is(err, errNotReplaced) {
		return nil
	}
	if err == nil {
		r.note(1, nil)
	}
	return err
}

// wrap returns the key wrapped under the key that it should be wrapped under.
func (r *rotation) wrap(ctx context.Context, k *staleKey) (*index.Encryption, error) {
	key, err := r.keys.Unwrap(ctx, crypto.WrappedKey{KeyID: k.Wrapper, Blob: k.WrappedKey})
	if err != nil {
		return nil, err
	}
	id := k.KeyID
	if id == "" {
		id = r.current
	}
	wrapped, err := r.keys.Wrap(ctx, id, key)
	return &index.Encryption{WrappedKey: wrapped.Blob, Wrapper: wrapped.KeyID}, err
}

// note counts a key that was wrapped anew, or keeps an error.
func (r *rotation) note(done int64, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done += done
	if err != nil {
		r.failed = append(r.failed, err)
	}
}
