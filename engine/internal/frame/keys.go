package frame

import "github.com/gabion-storage/gabion/crypto"

// Keys are what the chunks of a part are addressed and sealed with. The zero value is that of plain
// content which is found in the whole store.
type Keys struct {
	Cipher *crypto.Cipher // nil for content without encryption
	Scope  *crypto.Scope  // for content without encryption; nil for the whole store
}

// AddressOf returns the address of a chunk.
func (k Keys) AddressOf(chunk []byte) crypto.Address {
	switch {
	case k.Cipher != nil:
		return k.Cipher.AddressOf(chunk)
	case k.Scope != nil:
		return k.Scope.AddressOf(chunk)
	}
	return crypto.AddressOf(chunk)
}
