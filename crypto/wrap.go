package crypto

import "fmt"

// The version is the first byte of a wrapped key.
const (
	wrapVersion    = 1
	wrappedKeySize = 1 + DataKeySize + SealOverhead
)

// wrapKey encrypts key under wrappingKey. Only the same associated data unwraps it.
func wrapKey(wrappingKey []byte, key DataKey, aad []byte) (blob []byte, err error) {
	aead, err := newAEAD(wrappingKey)
	if err != nil {
		return nil, err
	}
	blob = make([]byte, 1+NonceSize, wrappedKeySize)
	blob[0] = wrapVersion
	blob = append(blob, key[:]...)
	sealed, err := seal(aead, blob[1:], aad)
	if err != nil {
		return nil, err
	}
	return blob[:1+len(sealed)], nil
}

// unwrapKey reverses wrapKey. It returns ErrAuthentication for anything that wrapKey did not
// return.
func unwrapKey(wrappingKey, blob, aad []byte) (DataKey, error) {
	if len(blob) != wrappedKeySize || blob[0] != wrapVersion {
		return DataKey{}, fmt.Errorf(
			"%w: not a wrapped key of version %d", ErrAuthentication, wrapVersion,
		)
	}
	aead, err := newAEAD(wrappingKey)
	if err != nil {
		return DataKey{}, err
	}
	// A copy, because the blob is the caller's and opening works in place.
	plain, err := open(aead, append([]byte(nil), blob[1:]...), aad)
	if err != nil {
		return DataKey{}, err
	}
	return DataKey(plain), nil
}
