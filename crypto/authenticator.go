package crypto

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"hash"
	"sync"
)

// MACSize is the length of a MAC in bytes.
const MACSize = 16

// Authenticator makes and verifies the MACs of the records of one upload, or of a store:
// HMAC-SHA256 under a key of its own, cut to MACSize bytes. It is safe for concurrent use.
type Authenticator struct {
	states sync.Pool // of *macState: to key a hash costs as much as a short message
}

// A macState is what it takes to make one MAC.
type macState struct {
	hash    hash.Hash
	message []byte
	sum     [sha256.Size]byte
}

// NewStoreAuthenticator returns what makes the MACs of a store's records, under a key derived from
// a data key of the store's own.
func NewStoreAuthenticator(key DataKey) (*Authenticator, error) {
	macKey, err := derive(key[:], storeLabel)
	if err != nil {
		return nil, fmt.Errorf("crypto: deriving a key: %w", err)
	}
	return newAuthenticator(macKey), nil
}

func newAuthenticator(key []byte) *Authenticator {
	a := new(Authenticator)
	a.states.New = func() any { return &macState{hash: hmac.New(sha256.New, key)} }
	return a
}

// MAC returns the MAC of the message that is appended to an empty buffer, which must not be kept.
func (a *Authenticator) MAC(message func(buf []byte) []byte) []byte {
	s := a.states.Get().(*macState)
	defer a.states.Put(s)
	return bytes.Clone(s.mac(message))
}

// Verify returns ErrAuthentication if mac is not that of the message. How long it takes says
// nothing about where they differ.
func (a *Authenticator) Verify(message func(buf []byte) []byte, mac []byte) error {
	s := a.states.Get().(*macState)
	defer a.states.Put(s)
	if !hmac.Equal(s.mac(message), mac) {
		return ErrAuthentication
	}
	return nil
}

func (s *macState) mac(message func(buf []byte) []byte) []byte {
	s.message = message(s.message[:0])
	s.hash.Reset()
	s.hash.Write(s.message) // a hash never fails
	return s.hash.Sum(s.sum[:0])[:MACSize]
}

const redactedAuthenticator = "crypto.Authenticator(redacted)"

// String does not show the key.
func (*Authenticator) String() string { return redactedAuthenticator }

// GoString does not show the key.
func (*Authenticator) GoString() string { return redactedAuthenticator }

// Format does not show the key, whatever the verb.
func (*Authenticator) Format(f fmt.State, _ rune) { redact(f, redactedAuthenticator) }
