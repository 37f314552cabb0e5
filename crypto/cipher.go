package crypto

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
)

// The parts that a seal adds to its plaintext.
const (
	NonceSize    = 12
	TagSize      = 16
	SealOverhead = NonceSize + TagSize
)

// ErrAuthentication is returned when a sealed text or wrapped key was not made with this key and
// associated data, or was changed since.
var ErrAuthentication = errors.New("crypto: authentication failed")

// Cipher addresses and seals the chunks of one upload, and authenticates its records. It is safe
// for concurrent use.
type Cipher struct {
	addresses *blake3Hash
	aead      cipher.AEAD
	auth      *Authenticator
}

// NewCipher derives the keys of an upload from its data key.
func NewCipher(key DataKey) (*Cipher, error) {
	addressKey, err := derive(key[:], addressLabel)
	if err != nil {
		return nil, fmt.Errorf("crypto: deriving a key: %w", err)
	}
	sealKey, err := derive(key[:], sealLabel)
	if err != nil {
		return nil, fmt.Errorf("crypto: deriving a key: %w", err)
	}
	macKey, err := derive(key[:], macLabel)
	if err != nil {
		return nil, fmt.Errorf("crypto: deriving a key: %w", err)
	}
	aead, err := newAEAD(sealKey)
	if err != nil {
		return nil, err
	}
	return &Cipher{
		addresses: newKeyedBLAKE3([32]byte(addressKey)), aead: aead, auth: newAuthenticator(macKey),
	}, nil
}

// Authenticator makes and verifies the MACs of this upload's records.
func (c *Cipher) Authenticator() *Authenticator { return c.auth }

// AddressOf returns the address of a chunk of this upload: its BLAKE3-256 under the upload's key.
func (c *Cipher) AddressOf(data []byte) Address { return c.addresses.sum(data) }

// Seal encrypts in place. buf is NonceSize bytes of room, then the plaintext; the result is a fresh
// nonce, the ciphertext and the tag, TagSize longer than buf and in the same memory when its
// capacity allows. aad is authenticated with it, and must be given to Open again.
func (c *Cipher) Seal(buf, aad []byte) ([]byte, error) { return seal(c.aead, buf, aad) }

// Open reverses Seal, in place: the plaintext that it returns lies inside buf. On any failure it
// returns ErrAuthentication, and what buf then holds must not be used.
func (c *Cipher) Open(buf, aad []byte) ([]byte, error) { return open(c.aead, buf, aad) }

const redactedCipher = "crypto.Cipher(redacted)"

// String does not show the keys.
func (*Cipher) String() string { return redactedCipher }

// GoString does not show the keys.
func (*Cipher) GoString() string { return redactedCipher }

// Format does not show the keys, whatever the verb.
func (*Cipher) Format(f fmt.State, _ rune) { redact(f, redactedCipher) }

// newAEAD returns AES-256-GCM under key. No error names the key.
func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("crypto: preparing AES: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("crypto: preparing GCM: %w", err)
	}
	return aead, nil
}

func seal(aead cipher.AEAD, buf, aad []byte) ([]byte, error) {
	if len(buf) < NonceSize {
		return nil, fmt.Errorf(
			"crypto: sealing %d bytes, which leave no room for the nonce", len(buf),
		)
	}
	// Grown first: were GCM to grow it, the nonce would stay behind.
	buf = slices.Grow(buf, TagSize)
	nonce, plaintext := buf[:NonceSize], buf[NonceSize:]
	if _, err := rand.Read(nonce); err != nil {
		return nil, fmt.Errorf("crypto: no randomness for a nonce: %w", err)
	}
	sealed := aead.Seal(plaintext[:0], nonce, plaintext, aad)
	return buf[:NonceSize+len(sealed)], nil
}

func open(aead cipher.AEAD, buf, aad []byte) ([]byte, error) {
	if len(buf) < SealOverhead {
		return nil, ErrAuthentication
	}
	nonce, sealed := buf[:NonceSize], buf[NonceSize:]
	plaintext, err := aead.Open(sealed[:0], nonce, sealed, aad)
	if err != nil {
		return nil, ErrAuthentication
	}
	return plaintext, nil
}
