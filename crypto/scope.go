package crypto

import "fmt"

// Scope addresses chunks without encryption that are to be found within one scope of a store only.
// Equal chunks of two scopes have unrelated addresses. It hides nothing: who reads the disk can
// make the key. It is safe for concurrent use.
type Scope struct {
	addresses *blake3Hash
}

// NewScope derives the key of a scope from the id of the store and the id of the scope.
func NewScope(store, id [16]byte) (*Scope, error) {
	key, err := derive(append(store[:], id[:]...), scopeLabel)
	if err != nil {
		return nil, fmt.Errorf("crypto: deriving a key: %w", err)
	}
	return &Scope{addresses: newKeyedBLAKE3([32]byte(key))}, nil
}

// AddressOf returns the address of a chunk of this scope: its BLAKE3-256 under the scope's key.
func (s *Scope) AddressOf(data []byte) Address { return s.addresses.sum(data) }
