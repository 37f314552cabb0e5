package crypto

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
)

// DataKeySize is the length of a data key in bytes.
const DataKeySize = 32

// The labels that tell derived keys apart. They are part of the format.
const (
	addressLabel = "gabion/v1 chunk address"
	sealLabel    = "gabion/v1 chunk seal"
	macLabel     = "gabion/v1 record mac"
	storeLabel   = "gabion/v1 store record mac"
	scopeLabel   = "gabion/v1 dedup scope"
)

// DataKey is the secret of one upload. It formats and encodes as a fixed text, never as its bytes.
type DataKey [DataKeySize]byte

// NewDataKey returns a new random data key.
func NewDataKey() (DataKey, error) {
	var k DataKey
	if _, err := rand.Read(k[:]); err != nil {
		return DataKey{}, fmt.Errorf("crypto: no randomness for a data key: %w", err)
	}
	return k, nil
}

// derivedKeySize is the length of a key of AES-256, and of BLAKE3.
const derivedKeySize = 32

// derive returns the key of secret that belongs to label.
func derive(secret []byte, label string) ([]byte, error) {
	return hkdf.Key(sha256.New, secret, nil, label, derivedKeySize)
}

const redactedDataKey = "crypto.DataKey(redacted)"

// String does not show the key.
func (DataKey) String() string { return redactedDataKey }

// GoString does not show the key.
func (DataKey) GoString() string { return redactedDataKey }

// Format does not show the key, whatever the verb: %x and %d would bypass String.
func (DataKey) Format(f fmt.State, _ rune) { redact(f, redactedDataKey) }

// MarshalText does not encode the key. It stands for JSON, XML and structured logs as well.
func (DataKey) MarshalText() ([]byte, error) { return []byte(redactedDataKey), nil }

// MarshalBinary does not encode the key, for gob, which does not ask MarshalText.
func (DataKey) MarshalBinary() ([]byte, error) { return []byte(redactedDataKey), nil }

func redact(f fmt.State, text string) {
	_, _ = io.WriteString(f, text) // fmt gives a Formatter no way to report an error
}
