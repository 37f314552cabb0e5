package crypto

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
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

// Keyring is a KeyProvider whose wrapping keys lie in a local file. Each is one generation; the last
// is the current one. No generation is ever removed, since old uploads need theirs.
//
// The file is everything: without it, what was encrypted is lost. Keep a copy, and not beside the
// data. It is not encrypted itself, only readable by its owner.
type Keyring struct {
	path   string
	rotate sync.Mutex // held by Rotate, so that no generation is lost
	// Replaced as a whole, never changed: using a key does not wait for a rotation's disk writes.
	ring atomic.Pointer[ring]
}

// OpenKeyring opens the key ring in the file at path. When there is no file it makes one, of mode
// 0600 and with one generation; its directory must exist, on a file system with hard links. When
// several processes do so at once, all get the ring of the first.
//
// A file that is damaged or of a newer format is refused with a *KeyringError, and left as it is.
func OpenKeyring(path string) (*Keyring, error) {
	// Rotate must find the file again after a change of the working directory.
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("crypto: opening the key ring: %w", err)
	}
	r, err := readRing(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := createRing(path); err != nil {
			return nil, fmt.Errorf("crypto: creating the key ring: %w", err)
		}
		r, err = readRing(path)
	}
	if err != nil {
		return nil, err
	}
	// Who made the file may have been killed before its entry was durable. No key may be wrapped under
	// a ring that a power loss could take away.
	if err := disk.SyncEntry(path); err != nil {
		return nil, fmt.Errorf("crypto: syncing the key ring's directory: %w", err)
	}
	k := &Keyring{path: path}
	k.ring.Store(&r)
	return k, nil
}

// Rotate adds a generation, makes it the current one and returns its id. It is durable then. Keys
// that were wrapped before stay readable; RotateKeys of the engine wraps them anew.
//
// Generations that another process has added are kept, and known from then on. But there is no lock
// between processes: when two rotate at the same moment, one generation can be lost. Rotate from one.
func (k *Keyring) Rotate() (keyID string, err error) {
	k.rotate.Lock()
	defer k.rotate.Unlock()
	onDisk, err := readRing(k.path)
	if err != nil {
		return "", err
	}
	g, err := newGeneration()
	if err != nil {
		return "", err
	}
	next := onDisk.with(*k.ring.Load()...).with(g)
	text := encodeRing(next)
	if len(text) > keyringLimit {
		return "", &KeyringError{Path: k.path, Reason: "it has no room for another generation"}
	}
	if err := disk.WriteFile(k.path, text, disk.FileMode); err != nil {
		return "", fmt.Errorf("crypto: writing the key ring: %w", err)
	}
	k.ring.Store(&next)
	return g.id, nil
}

// KeyIDs returns the ids of all generations, oldest first. The last is the current one.
func (k *Keyring) KeyIDs() []string {
	r := *k.ring.Load()
	ids := make([]string, len(r))
	for i, g := range r {
		ids[i] = g.id
	}
	return ids
}

// CurrentKeyID returns the id of the newest generation.
func (k *Keyring) CurrentKeyID(context.Context) (string, error) {
	return k.ring.Load().current().id, nil
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
	g, err := k.generation(keyID)
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
	g, err := k.generation(w.KeyID)
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

// generation returns the generation keyID, "" for the current one.
func (k *Keyring) generation(keyID string) (generation, error) {
	r := *k.ring.Load()
	if keyID == "" {
		return r.current(), nil
	}
	if g, ok := r.find(keyID); ok {
		return g, nil
	}
	return generation{}, fmt.Errorf("%w: the key ring has no %q", ErrKeyNotFound, keyID)
}

// wrapData is the associated data of a wrapped key: it is valid under its own key id only.
func wrapData(keyID string) []byte { return []byte(keyringWrapLabel + keyID) }

// readRing reads the ring in the file at path.
func readRing(path string) (_ ring, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("crypto: opening the key ring: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	// One byte over the limit is enough to see that there is too much.
	text, err := io.ReadAll(io.LimitReader(f, keyringLimit+1))
	if err != nil {
		return nil, fmt.Errorf("crypto: reading the key ring: %w", err)
	}
	r, err := decodeRing(text)
	var damage *KeyringError
	if errors.As(err, &damage) {
		damage.Path = path
	}
	return r, err
}

// createRing puts a ring of one generation at path, unless a file is there when it comes to that.
func createRing(path string) error {
	g, err := newGeneration()
	if err != nil {
		return err
	}
	// The file must come into being complete, and must not replace that of another process, under
	// which keys may have been wrapped already. Renaming would replace it; a hard link does not.
	unique := fmt.Sprintf(".%s.new-%s", filepath.Base(path), g.id)
	temp := filepath.Join(filepath.Dir(path), unique)
	if err := disk.WriteFile(temp, encodeRing(ring{g}), disk.FileMode); err != nil {
		return err
	}
	err = os.Link(temp, path)
	if errors.Is(err, fs.ErrExist) {
		err = nil
	}
	return errors.Join(err, os.Remove(temp))
}

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
