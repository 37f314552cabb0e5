package crypto

import (
	"context"
	"errors"
)

// What a KeyProvider refuses. A provider wraps these, so that errors.Is finds them.
var (
	// ErrKeyNotFound is returned when the provider has no key of the asked id.
	ErrKeyNotFound = errors.New("crypto: key not found")

	// ErrKeyDisabled is returned when the key exists but is not to be used at present.
	ErrKeyDisabled = errors.New("crypto: key disabled")

	// ErrKeyPendingDeletion is returned when the key is scheduled to be deleted.
	ErrKeyPendingDeletion = errors.New("crypto: key pending deletion")

	// ErrKeyPendingImport is returned when the key has no material yet.
	ErrKeyPendingImport = errors.New("crypto: key pending import")

	// ErrAccessDenied is returned when the provider does not let this caller use the key.
	ErrAccessDenied = errors.New("crypto: access to the key denied")
)

// ErrUnusableKey is returned by callers of a KeyProvider when it has returned what must not be
// used: a data key that is all zero, or an empty wrapped form or id of a wrapping key.
var ErrUnusableKey = errors.New("crypto: the key provider returned an unusable key")

// WrappedKey is a data key as it is stored: encrypted by a KeyProvider, which alone understands
// Blob.
type WrappedKey struct {
	KeyID string // the key that it is wrapped under
	Blob  []byte
}

// A KeyProvider wraps data keys under keys of its own, which never leave it.
//
// All methods are called concurrently. They may block on a network, and then must return soon after
// ctx ends. Beside errors of transport they return ErrKeyNotFound, ErrKeyDisabled,
// ErrKeyPendingDeletion, ErrKeyPendingImport and ErrAccessDenied, wrapped or not, and Unwrap
// ErrAuthentication for a key that was altered. An error text must hold no key material. A provider
// keeps no slice that it is given and returns none that it keeps. A data key must not be all zero,
// and the id and blob of a wrapped key must not be empty; the engine checks that, and unwraps each
// new data key once before it uses it.
//
// A provider may also have a method Exposed() error, which returns an error if others than this
// process can read its keys. The engine asks when it opens a store and reports the error as an
// alarm.
type KeyProvider interface {
	// CurrentKeyID names the key that new data keys are wrapped under when none is asked for.
	CurrentKeyID(ctx context.Context) (string, error)

	// Generate returns a new data key and its wrapped form under the key keyID, "" for the current
	// one. When it returns, the wrapping key must be durable.
	Generate(ctx context.Context, keyID string) (DataKey, WrappedKey, error)

	// Wrap wraps an existing data key under the key keyID, "" for the current one. Rotation uses
	// it.
	Wrap(ctx context.Context, keyID string, key DataKey) (WrappedKey, error)

	// Unwrap recovers the data key. It goes on working for every key id that was ever current.
	Unwrap(ctx context.Context, w WrappedKey) (DataKey, error)
}
