package crypto

import "encoding/hex"

// Address names a chunk by its content.
type Address [32]byte

var unkeyed = newBLAKE3()

// AddressOf returns the address of a chunk without encryption that is to be found in the whole
// store: its BLAKE3-256. Scope.AddressOf and Cipher.AddressOf are for all other chunks.
func AddressOf(data []byte) Address { return unkeyed.sum(data) }

// String returns 64 lower-case hex digits.
func (a Address) String() string { return hex.EncodeToString(a[:]) }
