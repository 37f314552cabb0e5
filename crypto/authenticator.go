package crypto

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"hash"
	"sync"
)

// MACSize is the length of a MAC in bytes.
const MACSize = 16

// Authenticator makes and verifies the MACs of the records of one upload: HMAC-SHA256 under a key of its own,
// cut to MACSize bytes. It is safe for concurrent use.
type Authenticator struct {
	hashes sync.Pool // of hash.Hash, keyed: to key one costs as much as a short message
}

func newAuthenticator(key []byte) *Authenticator {
	a := new(Authenticator)
	a.hashes.New = func() any { return hmac.New(sha256.New, key) }
	return a
}

// MAC returns the MAC of a message.
func (a *Authenticator) MAC(message []byte) []byte {
	h := a.hashes.Get().(hash.Hash)
	defer a.hashes.Put(h)
	h.Reset()
	h.Write(message) // a hash never fails
	return h.Sum(make([]byte, 0, sha256.Size))[:MACSize:MACSize]
}

// Verify returns ErrAuthentication if mac is not that of the message. How long it takes says nothing about where they differ.
func (a *Authenticator) Verify(message, mac []byte) error {
	if !hmac.Equal(a.MAC(message), mac) {
		return ErrAuthentication
	}
	return nil
}

const redactedAuthenticator = "crypto.Authenticator(redacted)"

// String does not show the key.
func (*Authenticator) String() string { return redactedAuthenticator }

// GoString does not show the key.
func (*Authenticator) GoString() string { return redactedAuthenticator }

// Format does not show the key, whatever the verb.
func (*Authenticator) Format(f fmt.State, _ rune) { redact(f, redactedAuthenticator) }
