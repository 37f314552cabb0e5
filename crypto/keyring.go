package crypto

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/gabion-storage/gabion/internal/disk"
)

const (
	// keyringWrapLabel is the start of the associated data of a wrapped key.
	keyringWrapLabel = "gabion/v1 data key\x00"
)

// Keyring is a KeyProvider whose wrapping keys lie in a local file. Each is one generation; the
// last is the current one. No generation is ever removed, since old uploads need theirs.
//
// The file is everything: without it, what was encrypted is lost. Keep a copy, and not beside the
// data. It is not encrypted itself, only readable by its owner.
//
// Other processes may open and rotate the same file. Each call looks whether the file has changed,
// and only then reads it again: so keys that others add are used from the next call on, and asking
// for an unknown key costs no more. If the file is missing or damaged by then, the keys read before
// stay in use.
//
// All methods may be called concurrently.
type Keyring struct {
	path     string     // absolute; its symlinks are followed anew each time
	rotating sync.Mutex // held by Rotate, before the lock between processes
	reading  sync.Mutex // held while the file is read again; guards refused
	refused  *refusal   // what reading it again has led to; nil after success
	// Replaced as a whole, never changed: using a key does not wait for a rotation's disk writes.
	known atomic.Pointer[knownRing]
}

// knownRing is what a Keyring knows.
type knownRing struct {
	file ringInFile // as it was last read or written
	lost ring       // generations that the file has no more: good for unwrapping, until Rotate brings them back
}

// A refusal is a file that is damaged, which need not be read twice.
type refusal struct {
	info fs.FileInfo
	err  error
}

// OpenKeyring opens the key ring in the file at path, which CreateKeyring has made. Symlinks on the
// way are followed, and its directory must be readable. When there is no file the error matches
// fs.ErrNotExist, and none is made: a new ring in the place of one that is only missing for a while
// would separate the store from its keys.
//
// A file that is damaged or of a newer format is refused with a *KeyringError, and left as it is.
// So is one that others than this process's user and the superuser can write or, because they can
// change a directory or symlink on the way, exchange: that matches ErrKeyringWritable. One that
// they can only read is opened: see Exposed. On Windows, where modes say nothing about access,
// neither is looked at.
//
// Temporary files that a killed process has left beside the ring hold keys, and are removed.
func OpenKeyring(path string) (*Keyring, error) {
	// Rotate must find the file again after a change of the working directory.
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, keyringFailed("opening", err)
	}
	f, err := findRing(path)
	if err != nil {
		return nil, keyringFailed("opening", err)
	}
	r, err := f.read()
	if err == nil {
		err = f.tidy()
	}
	if err := errors.Join(err, f.close()); err != nil {
		return nil, keyringFailed("opening", err)
	}
	return newKeyring(path, r), nil
}

// CreateKeyring makes a key ring of one generation in a new file at path, of mode 0600 whatever the
// umask, and opens it. It is durable then. When there is anything at path the error matches
// fs.ErrExist; of several processes that make one at once, one succeeds.
//
// The directory must exist, on a file system with hard links and locks. One that others can write,
// or exchange, is refused as by OpenKeyring.
func CreateKeyring(path string) (*Keyring, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, keyringFailed("creating", err)
	}
	f, err := newRing(path)
	if err != nil {
		return nil, keyringFailed("creating", err)
	}
	r, err := f.begin()
	if err := errors.Join(err, f.close()); err != nil {
		return nil, keyringFailed("creating", err)
	}
	return newKeyring(path, r), nil
}

func newKeyring(path string, r ringInFile) *Keyring {
	k := &Keyring{path: path}
	k.known.Store(&knownRing{file: r})
	return k
}

// keyringFailed says what failed, unless the error says itself what is wrong with the file.
func keyringFailed(doing string, err error) error {
	var refused *KeyringError
	if errors.As(err, &refused) {
		return refused
	}
	return fmt.Errorf("crypto: %s the key ring: %w", doing, err)
}

// Rotate adds a generation, makes it the current one and returns its id. It is durable then. Keys
// that were wrapped before stay readable; RotateKeys of the engine wraps them anew.
//
// Processes that rotate one file take turns, by a lock in a file beside it, and keep what the
// others have added. The file at the end of all symlinks is replaced, by one of mode 0600 and of
// this process's user; another hard link to it keeps the old one.
func (k *Keyring) Rotate() (keyID string, err error) {
	k.rotating.Lock()
	defer k.rotating.Unlock()
	f, err := findRing(k.path)
	if err != nil {
		return "", keyringFailed("rotating", err)
	}
	defer func() { err = errors.Join(err, f.close()) }()
	unlock, err := f.lock()
	if err != nil {
		return "", keyringFailed("rotating", err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	onDisk, err := f.read()
	if err != nil {
		return "", keyringFailed("rotating", err)
	}
	g, err := newGeneration()
	if err != nil {
		return "", err
	}
	next := onDisk.with(k.known.Load().all()...).with(g)
	if len(encodeRing(next)) > keyringLimit {
		return "", &KeyringError{Path: k.path, Reason: "it has no room for another generation"}
	}
	written, err := f.replace(next)
	if err != nil {
		return "", keyringFailed("rotating", err)
	}
	for known := k.known.Load(); !k.known.CompareAndSwap(known, known.with(written)); {
		known = k.known.Load()
	}
	return g.id, nil
}

// Exposed returns a *KeyringError that matches ErrKeyringReadable when the mode of the file lets
// others than its owner read it: its keys are no secret of this process then. The engine reports it
// when it opens a store.
func (k *Keyring) Exposed() error {
	info, err := os.Stat(k.path)
	if err != nil {
		return keyringFailed("opening", err)
	}
	if !disk.OthersRead(info) {
		return nil
	}
	return &KeyringError{
		Path: k.path, Err: ErrKeyringReadable,
		Reason: fmt.Sprintf("others can read it: its mode is %#o", info.Mode().Perm()),
	}
}

// KeyIDs returns the ids of all generations that are known, oldest first. The last is the current
// one, unless the file has lost some: those come last.
func (k *Keyring) KeyIDs() []string {
	r := k.known.Load().all()
	ids := make([]string, len(r))
	for i, g := range r {
		ids[i] = g.id
	}
	return ids
}

// CurrentKeyID returns the id of the newest generation in the file.
func (k *Keyring) CurrentKeyID(context.Context) (string, error) {
	g, err := k.wrapping("")
	return g.id, err
}

// Generate returns a new data key and its wrapped form.
func (k *Keyring) Generate(ctx context.Context, keyID string) (DataKey, WrappedKey, error) {
	key, err := NewDataKey()
	if err != nil {
		return DataKey{}, WrappedKey{}, err
	}
	w, err := k.Wrap(ctx, keyID, key)
	if err != nil {
		return DataKey{}, WrappedKey{}, err
	}
	return key, w, nil
}

// Wrap wraps key under the generation keyID, "" for the current one.
func (k *Keyring) Wrap(_ context.Context, keyID string, key DataKey) (WrappedKey, error) {
	g, err := k.wrapping(keyID)
	if err != nil {
		return WrappedKey{}, err
	}
	blob, err := wrapKey(g.key[:], key, wrapData(g.id))
	if err != nil {
		return WrappedKey{}, err
	}
	return WrappedKey{KeyID: g.id, Blob: blob}, nil
}

// Unwrap recovers a key that a ring with the same generation has wrapped.
func (k *Keyring) Unwrap(_ context.Context, w WrappedKey) (DataKey, error) {
	if w.KeyID == "" {
		return DataKey{}, fmt.Errorf("%w: a wrapped key names none", ErrKeyNotFound)
	}
	g, err := k.unwrapping(w.KeyID)
	if err != nil {
		return DataKey{}, err
	}
	return unwrapKey(g.key[:], w.Blob, wrapData(g.id))
}

const redactedKeyring = "crypto.Keyring(redacted)"

// String does not show the keys.
func (*Keyring) String() string { return redactedKeyring }

// GoString does not show the keys.
func (*Keyring) GoString() string { return redactedKeyring }

// Format does not show the keys, whatever the verb.
func (*Keyring) Format(f fmt.State, _ rune) { redact(f, redactedKeyring) }

// wrapping returns the generation to wrap a key under, "" for the current one. It is one that the
// file has: what is wrapped must be found again by who opens it next.
func (k *Keyring) wrapping(keyID string) (generation, error) {
	// Also for a generation that is known: another process may have made a later one current, or an
	// older copy of the file may have been put back.
	err := k.refresh()
	r := k.known.Load().file.ring
	if keyID == "" {
		return r.current(), nil
	}
	if g, ok := r.find(keyID); ok {
		return g, nil
	}
	return generation{}, notFound(keyID, err)
}

// unwrapping returns the generation that a key was wrapped under.
func (k *Keyring) unwrapping(keyID string) (generation, error) {
	if g, ok := k.known.Load().find(keyID); ok {
		return g, nil
	}
	err := k.refresh()
	if g, ok := k.known.Load().find(keyID); ok {
		return g, nil
	}
	return generation{}, notFound(keyID, err)
}

// notFound is the error for a generation that is not known, after reading the file again has led to
// err. That there is no such key is known only when the file was looked at.
func notFound(keyID string, err error) error {
	switch {
	case err == nil:
		return fmt.Errorf("%w: the key ring has no %q", ErrKeyNotFound, keyID)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: the key ring had no %q, and is away: %w", ErrKeyNotFound, keyID, err)
	}
	return keyringFailed("opening", err)
}

// refresh reads the file again if it is another one than was read last, or has changed.
func (k *Keyring) refresh() error {
	info, err := os.Stat(k.path)
	if err != nil {
		return err
	}
	if unchanged(info, k.known.Load().file.info) {
		return nil
	}
	k.reading.Lock()
	defer k.reading.Unlock()
	if k.refused != nil && unchanged(info, k.refused.info) {
		return k.refused.err
	}
	for known := k.known.Load(); !unchanged(info, known.file.info); known = k.known.Load() {
		r, err := k.readAgain()
		if err != nil {
			return err
		}
		// Rotate, which does not wait, may have stored what is newer than what was read here.
		if k.known.CompareAndSwap(known, known.with(r)) {
			break
		}
	}
	return nil
}

// readAgain reads the file. Damage is remembered, by the file that has it.
func (k *Keyring) readAgain() (ringInFile, error) {
	k.refused = nil
	f, err := findRing(k.path)
	if err != nil {
		return ringInFile{}, err
	}
	r, err := f.read()
	err = errors.Join(err, f.close())
	if err != nil && r.info != nil {
		var damage *KeyringError
		if errors.As(err, &damage) {
			k.refused = &refusal{info: r.info, err: err}
		}
	}
	return r, err
}

// unchanged reports whether a file is as it was. Who rotates a ring makes another file of it.
func unchanged(now, then fs.FileInfo) bool {
	return os.SameFile(now, then) && now.ModTime().Equal(then.ModTime()) &&
		now.Size() == then.Size()
}

// with is what is known after the file was read or written again.
func (k *knownRing) with(r ringInFile) *knownRing {
	next := &knownRing{file: r}
	for _, g := range k.all() {
		if _, ok := r.find(g.id); !ok {
			next.lost = append(next.lost, g)
		}
	}
	return next
}

// all are the generations of the file, then those that it has lost.
func (k *knownRing) all() ring { return k.file.with(k.lost...) }

func (k *knownRing) find(keyID string) (generation, bool) {
	if g, ok := k.file.find(keyID); ok {
		return g, true
	}
	return k.lost.find(keyID)
}

// wrapData is the associated data of a wrapped key: it is valid under its own key id only.
func wrapData(keyID string) []byte { return []byte(keyringWrapLabel + keyID) }

func newGeneration() (generation, error) {
	var id [generationIDSize / 2]byte
	var g generation
	for _, b := range [][]byte{id[:], g.key[:]} {
		if _, err := rand.Read(b); err != nil {
			return generation{}, fmt.Errorf("crypto: no randomness for a wrapping key: %w", err)
		}
	}
	g.id = hex.EncodeToString(id[:])
	return g, nil
}
