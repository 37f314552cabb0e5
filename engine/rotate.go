package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/index"
)

// Limits of RotateKeys.
const (
	rotateScan    = 4096 // records looked at in one snapshot, which must not grow old
	rotateBuckets = 256  // names of buckets in memory
	rotateBatch   = 256  // data keys wrapped anew in one transaction, fewer when their records are large
	rotateWorkers = 8    // data keys that the provider, perhaps a remote service, works on at a time
	rotatePasses  = 16   // over everything, if others keep changing it
	rotateOutage  = 64   // data keys in a row without an answer, after which the provider counts as down
	rotateErrors  = 16   // failures told in full
	rotateAliases = 1024 // key ids remembered that the provider calls otherwise
)

// RotateKeysRequest is empty.
type RotateKeysRequest struct{}

// RotateKeysResult says what was done.
type RotateKeysResult struct {
	Rewrapped int64  // data keys wrapped anew
	Current   string // the provider's id of the key that was current when the call began
}

// RotateKeys wraps anew every data key that is not under its proper key: the provider's current
// one, or the one whose id the client named. These are the data keys of encrypted objects, of open
// uploads, of the store (Options.AuthenticateRecords) and of its nodes (Options.Node). Each takes a
// few bytes of metadata; data is never touched. First make another key current, as with Rotate of
// crypto.Keyring. Without Options.Keys it fails with ErrKmsServiceNotEnabled.
//
// It may be called beside any other calls, stopped at any point by ctx or by a crash, and called
// again: what is done stays done, and only the rest is left to do. When it returns without error,
// the new form is durable for everything that was there when it was called. An Initiate, a PutObject
// or a CopyObject that is under way meanwhile may still store a data key under the key before; the
// next call finds it. So destroy an old key only after a RotateKeys that began when all of these had
// ended.
//
// A data key that the provider does not unwrap or wrap keeps its old form, and a damaged record
// stays as it is. Both are part of the error; everything else is done all the same. The call ends
// early when the provider does not answer at all and, with ErrNoSpace, when the disk is down to
// Options.ReserveSpace. It fails with ErrUnavailable when it finds something left to do after each
// of 16 passes over the store, as when another key is made current all the time.
//
// A new form replaces the old one only when the provider has unwrapped it again, so each data key
// takes three calls of the provider, and only if the record's MAC proves that the data key is its
// own: where the provider has given another the error is a *CorruptionError. At most 8 data keys are
// worked on at a time. Keep old keys: backups of the store hold data keys that are wrapped under
// them, and so does what is part of the error.
func (e *Engine) RotateKeys(
	ctx context.Context, _ *RotateKeysRequest,
) (_ *RotateKeysResult, err error) {
	c, err := e.begin(ctx, call{op: "RotateKeys"})
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	c.pass()
	if e.keys == nil {
		return nil, ErrKmsServiceNotEnabled
	}
	current, err := e.keys.current(ctx)
	if err != nil {
		return nil, err
	}
	r := rotation{engine: e, keys: e.keys, current: current, aliases: make(map[string]string)}
	if err := r.run(ctx); err != nil {
		return nil, err
	}
	return &RotateKeysResult{Rewrapped: r.rewrapped, Current: current}, nil
}

// A rotation is one RotateKeys. All that it must not forget is in the records themselves.
type rotation struct {
	engine *Engine
	keys   *provider

	current string            // what new data keys are wrapped under
	aliases map[string]string // the provider's own ids of keys that clients know by others

	rewrapped int64
	again     bool         // this pass has found something to replace
	failed    failures     // of this pass
	silent    atomic.Int64 // data keys in a row that the provider gave no answer about
}

// run makes passes until one finds nothing to replace. Before that it cannot know whether a record
// has moved from where it had not looked to where it had. What failed is tried again that way, as
// long as anything gets on.
func (r *rotation) run(ctx context.Context) error {
	for range rotatePasses {
		r.again, r.failed = false, failures{}
		if err := r.pass(ctx); err != nil {
			return errors.Join(r.failed.join(), err)
		}
		if !r.again {
			return r.failed.join()
		}
	}
	// The last pass has replaced something, so nobody knows whether that was all.
	return errors.Join(r.failed.join(), ErrUnavailable.saying(
		"Data keys are left over after %d passes, since they change all the time. "+
			"What was wrapped anew stays so. Try again later.", rotatePasses,
	))
}

// pass looks at the store's own keys and at every bucket: at the uploads first, since an upload that
// is completed meanwhile then is an object that is still to be looked at.
func (r *rotation) pass(ctx context.Context) error {
	if err := rotateRange(ctx, r, headerKeys, index.TheHeader()); err != nil {
		return err
	}
	if err := rotateRange(ctx, r, fleetKeys, index.TheFleet()); err != nil {
		return err
	}
	for rg, more := index.Buckets(), true; more; {
		var names []string
		err := r.engine.index.View(ctx, func(reader index.Reader) (err error) {
			names, more, err = r.buckets(reader, &rg)
			return err
		})
		if err != nil {
			return err
		}
		for _, bucket := range names {
			if err := rotateRange(ctx, r, uploadKeys, index.UploadsOf(bucket)); err != nil {
				return err
			}
			if err := rotateRange(ctx, r, objectKeys, index.ObjectsOf(bucket)); err != nil {
				return err
			}
		}
	}
	return nil
}

// buckets returns the names of the next buckets of a range, cuts them off the range, and says
// whether it has more. What is in one whose record is damaged is there all the same.
func (r *rotation) buckets(
	reader index.Reader, rg *index.Range[index.Bucket],
) (names []string, more bool, err error) {
	for entry, err := range index.ScanAll(reader, *rg) {
		if len(entry.Key) == 0 {
			return nil, false, err
		}
		if len(names) == rotateBuckets {
			rg.Start = bytes.Clone(entry.Key)
			return names, true, nil
		}
		if err != nil {
			r.failed.add(err)
		}
		name, err := index.ParseBucketKey(entry.Key)
		if err != nil {
			return nil, false, err
		}
		names = append(names, name)
	}
	return names, false, nil
}

// stale reports whether a data key is to be wrapped anew.
func (r *rotation) stale(enc *index.Encryption) bool {
	ours := enc.Algorithm != "" && !enc.Customer // what the provider has wrapped
	return ours && enc.Wrapper != r.wanted(enc.KeyID)
}

// wanted returns the provider's id of the key that a client has asked for, "" for none.
func (r *rotation) wanted(keyID string) string {
	if keyID == "" {
		return r.current
	}
	if id, ok := r.aliases[keyID]; ok {
		return id
	}
	return keyID
}

// learn takes in what the provider calls a key. A service may know one by many names; without this
// it would be asked about each record again, to no effect.
func (r *rotation) learn(keyID, id string) {
	switch {
	case keyID == "":
		r.current = id // another one than at the start, if it was rotated since
	case id != r.wanted(keyID):
		if len(r.aliases) >= rotateAliases {
			clear(r.aliases)
		}
		r.aliases[keyID] = id
	}
}

// A keyTable is a table of the index whose records hold data keys.
type keyTable[R any] struct {
	name       func(index.Key[R]) string // for people
	scan       func(index.Reader, index.Range[R]) iter.Seq2[index.Entry[R], error]
	get        func(index.Reader, index.Key[R]) (R, error)
	put        func(index.Tx, index.Key[R], *R) error
	encryption func(*R) *index.Encryption

	// proves fails unless the record is one of this data key.
	proves func(*Engine, index.Key[R], *R, crypto.DataKey) error
}

var uploadKeys = &keyTable[index.Upload]{
	name: func(k index.Key[index.Upload]) string {
		bucket, key, id, _ := index.ParseUploadKey(k)
		return fmt.Sprintf("upload %s of %s/%s", id, bucket, key)
	},
	scan:       index.Scan[index.Upload],
	get:        index.Get[index.Upload],
	put:        index.Put[index.Upload],
	encryption: func(rec *index.Upload) *index.Encryption { return &rec.Encryption },
	proves: func(e *Engine, k index.Key[index.Upload], rec *index.Upload, key crypto.DataKey) error {
		bucket, name, id, err := index.ParseUploadKey(k)
		if err != nil {
			return err
		}
		cipher, err := crypto.NewCipher(key)
		if err != nil {
			return err
		}
		return e.sealsOf(id, cipher).upload(bucket, name, rec)
	},
}

var headerKeys = &keyTable[index.Header]{
	name:       func(index.Key[index.Header]) string { return "the store's records" },
	scan:       index.Scan[index.Header],
	get:        index.Get[index.Header],
	put:        index.Put[index.Header],
	encryption: func(rec *index.Header) *index.Encryption { return &rec.Records },
	proves: func(e *Engine, _ index.Key[index.Header], _ *index.Header, key crypto.DataKey) error {
		return e.isRecordsKey(key)
	},
}

var fleetKeys = &keyTable[index.Fleet]{
	name:       func(index.Key[index.Fleet]) string { return "the nodes' common key" },
	scan:       index.Scan[index.Fleet],
	get:        index.Get[index.Fleet],
	put:        index.Put[index.Fleet],
	encryption: func(rec *index.Fleet) *index.Encryption { return &rec.Keys },
	// Nothing lies under it: a node asks only whether its provider unwraps it, and another serves
	// that as well.
	proves: func(*Engine, index.Key[index.Fleet], *index.Fleet, crypto.DataKey) error { return nil },
}

var objectKeys = &keyTable[index.Object]{
	name: func(k index.Key[index.Object]) string {
		bucket, key, _ := index.ParseObjectKey(k)
		return fmt.Sprintf("object %s/%s", bucket, key)
	},
	scan:       index.Scan[index.Object],
	get:        index.Get[index.Object],
	put:        index.Put[index.Object],
	encryption: func(rec *index.Object) *index.Encryption { return &rec.Encryption },
	proves: func(e *Engine, k index.Key[index.Object], rec *index.Object, key crypto.DataKey) error {
		bucket, name, err := index.ParseObjectKey(k)
		if err != nil {
			return err
		}
		cipher, err := crypto.NewCipher(key)
		if err != nil {
			return err
		}
		return e.sealsOf(rec.Content, cipher).object(bucket, name, rec)
	},
}

// A staleKey is a data key to wrap anew.
type staleKey struct {
	record []byte // the record's key
	old    index.Encryption
	proves func(crypto.DataKey) error // fails for any other

	tried bool
	fresh crypto.WrappedKey
	err   error
}

// rotateRange wraps the stale data keys of a range anew, batch by batch. The provider is asked
// between the snapshot and the transaction, so that neither lasts as long as its answers.
func rotateRange[R any](ctx context.Context, r *rotation, t *keyTable[R], rg index.Range[R]) error {
	for more := true; more; {
		var batch []staleKey
		err := r.engine.index.View(ctx, func(reader index.Reader) (err error) {
			batch, more, err = collectStale(r, t, reader, &rg)
			return err
		})
		if err != nil {
			return err
		}
		if len(batch) == 0 {
			continue
		}
		// It adds to the index, and can wait for space.
		if err := r.engine.room(); err != nil {
			return err
		}
		r.rewrapAll(ctx, batch)
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := replaceKeys(ctx, r, t, replaceable(r, t, batch)); err != nil {
			return err
		}
		if r.silent.Load() >= rotateOutage {
			return fmt.Errorf("the key provider gives no answers, %d times in a row", rotateOutage)
		}
	}
	return nil
}

// collectStale returns the stale data keys of the next records of a range, cuts those records off
// the range, and says whether it has more.
func collectStale[R any](
	r *rotation, t *keyTable[R], reader index.Reader, rg *index.Range[R],
) (stale []staleKey, more bool, err error) {
	looked := 0
	for entry, err := range t.scan(reader, *rg) {
		if err != nil && len(entry.Key) == 0 {
			return nil, false, err
		}
		looked++
		if enc := t.encryption(&entry.Record); err == nil && r.stale(enc) {
			stale = append(stale, staleKey{
				record: entry.Key, old: *enc,
				proves: func(key crypto.DataKey) error {
					return t.proves(r.engine, entry.Key, &entry.Record, key)
				},
			})
		}
		if err == nil && looked < rotateScan && len(stale) < rotateBatch {
			continue
		}
		if err != nil { // a damaged record ends the scan, and another begins behind it
			r.failed.add(err)
		}
		// What follows a key directly is that key with a zero byte behind it.
		rg.Start = append(bytes.Clone(entry.Key), 0)
		return stale, true, nil
	}
	return stale, false, nil
}

// rewrapAll has the provider work on a batch. It stops early when the context ends or the provider
// seems to be down; each data key says whether it was tried.
func (r *rotation) rewrapAll(ctx context.Context, batch []staleKey) {
	next := make(chan *staleKey)
	var workers sync.WaitGroup
	for range min(rotateWorkers, len(batch)) {
		workers.Go(func() {
			for k := range next {
				k.fresh, k.err = r.rewrap(ctx, k)
				k.tried = true
				if k.err == nil || refusesKey(k.err) {
					r.silent.Store(0)
				} else {
					r.silent.Add(1)
				}
			}
		})
	}
	for i := range batch {
		if ctx.Err() != nil || r.silent.Load() >= rotateOutage {
			break
		}
		next <- &batch[i]
	}
	close(next)
	workers.Wait()
}

// refusesKey reports whether an error is about the one key that the provider was asked for: it is
// what the provider says of it, or what it gave is of no use. Others may say that it is down.
func refusesKey(err error) bool {
	for _, refusal := range []error{
		crypto.ErrKeyNotFound, crypto.ErrKeyDisabled, crypto.ErrKeyPendingDeletion,
		crypto.ErrKeyPendingImport, crypto.ErrAccessDenied, crypto.ErrAuthentication,
		crypto.ErrUnusableKey, ErrInvalidArgument,
	} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return false
}

// rewrap returns the new form of a data key. The old one is the only way to the data: it is not
// given up for one that may not work, so the provider has unwrapped the new one, nor for that of
// another key, which a provider that mixes up its answers would give.
func (r *rotation) rewrap(ctx context.Context, k *staleKey) (fresh crypto.WrappedKey, err error) {
	key, err := r.keys.unwrap(
		ctx, crypto.WrappedKey{KeyID: k.old.Wrapper, Blob: k.old.WrappedKey},
	)
	if err == nil {
		err = k.proves(key)
	}
	if err != nil {
		return fresh, err
	}
	return r.keys.wrap(ctx, k.old.KeyID, key)
}

// replaceable returns what of a batch is to be replaced, and takes in what failed.
func replaceable[R any](r *rotation, t *keyTable[R], batch []staleKey) (fresh []staleKey) {
	for _, k := range batch {
		if k.err != nil {
			r.failed.add(fmt.Errorf("%s: %w", t.name(k.record), k.err))
		}
		if k.err != nil || !k.tried {
			continue
		}
		r.learn(k.old.KeyID, k.fresh.KeyID)
		if k.fresh.KeyID != k.old.Wrapper { // else it only goes by another name
			fresh = append(fresh, k)
		}
	}
	return fresh
}

// replaceKeys puts the new forms into the records, in one transaction if they fit.
func replaceKeys[R any](ctx context.Context, r *rotation, t *keyTable[R], batch []staleKey) error {
	if len(batch) == 0 {
		return nil
	}
	var replaced int64
	err := r.engine.index.Update(ctx, func(tx index.Tx) error {
		replaced = 0
		for i := range batch {
			n, err := replaceKey(tx, t, &batch[i])
			if err != nil {
				return err
			}
			replaced += n
		}
		return nil
	})
	if errors.Is(err, index.ErrTooLarge) && len(batch) > 1 {
		half := len(batch) / 2
		if err := replaceKeys(ctx, r, t, batch[:half]); err != nil {
			return err
		}
		return replaceKeys(ctx, r, t, batch[half:])
	}
	if err != nil {
		return err
	}
	r.rewrapped += replaced
	r.again = true
	return nil
}

// replaceKey puts the new form of a data key in the place of the old one, and counts it. A record
// that has another by now, or is gone, is left alone.
func replaceKey[R any](tx index.Tx, t *keyTable[R], k *staleKey) (int64, error) {
	rec, err := t.get(tx, k.record)
	if errors.Is(err, index.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	enc := t.encryption(&rec)
	if enc.Wrapper != k.old.Wrapper || !bytes.Equal(enc.WrappedKey, k.old.WrappedKey) {
		return 0, nil
	}
	enc.Wrapper, enc.WrappedKey = k.fresh.KeyID, k.fresh.Blob
	return 1, t.put(tx, k.record, &rec)
}

// failures are errors of which there may be very many.
type failures struct {
	told []error
	more int64
}

func (f *failures) add(err error) {
	if len(f.told) == rotateErrors {
		f.more++
		return
	}
	f.told = append(f.told, typed(err))
}

// join returns the first errors and the number of the others, or nil if there are none.
func (f *failures) join() error {
	if f.more == 0 {
		return errors.Join(f.told...)
	}
	return errors.Join(append(f.told, fmt.Errorf("and %d more", f.more))...)
}
