package crypto

import "fmt"

// CustomerKeySize is the length of a customer key in bytes.
const CustomerKeySize = 32

// The label of the wrapping key and the associated data of what it wraps. They are part of the
// format.
const (
	customerLabel     = "gabion/v1 customer key"
	customerWrapLabel = "gabion/v1 customer data key"
)

// CustomerKey is a key that a client gives with each request (SSE-C). It wraps the data key of the
// client's upload in place of a KeyProvider, and is never stored, nor is a digest of it: who loses
// it loses the data. It formats and encodes as a fixed text, never as its bytes.
type CustomerKey []byte

// Valid tells whether the key has the right length. A key has no other mark.
func (k CustomerKey) Valid() bool { return len(k) == CustomerKeySize }

// Wrap wraps key. It fails for a key that is not Valid.
func (k CustomerKey) Wrap(key DataKey) (blob []byte, err error) {
	if !k.Valid() {
		return nil, fmt.Errorf(
			"crypto: a customer key of %d bytes, not %d", len(k), CustomerKeySize,
		)
	}
	wrappingKey, err := derive(k, customerLabel)
	if err != nil {
		return nil, fmt.Errorf("crypto: deriving a key: %w", err)
	}
	return wrapKey(wrappingKey, key, []byte(customerWrapLabel))
}

// Unwrap recovers a key that the same customer key has wrapped. For any other customer key, also
// one that is not Valid, and for a blob that was altered it returns ErrAuthentication.
func (k CustomerKey) Unwrap(blob []byte) (DataKey, error) {
	if !k.Valid() {
		return DataKey{}, fmt.Errorf("%w: a customer key of %d bytes", ErrAuthentication, len(k))
	}
	wrappingKey, err := derive(k, customerLabel)
	if err != nil {
		return DataKey{}, fmt.Errorf("crypto: deriving a key: %w", err)
	}
	return unwrapKey(wrappingKey, blob, []byte(customerWrapLabel))
}

const redactedCustomerKey = "crypto.CustomerKey(redacted)"

// String does not show the key.
func (CustomerKey) String() string { return redactedCustomerKey }

// GoString does not show the key.
func (CustomerKey) GoString() string { return redactedCustomerKey }

// Format does not show the key, whatever the verb.
func (CustomerKey) Format(f fmt.State, _ rune) { redact(f, redactedCustomerKey) }

// MarshalText does not encode the key. It stands for JSON, XML and structured logs as well.
func (CustomerKey) MarshalText() ([]byte, error) { return []byte(redactedCustomerKey), nil }

// MarshalBinary does not encode the key, for gob, which does not ask MarshalText.
func (CustomerKey) MarshalBinary() ([]byte, error) { return []byte(redactedCustomerKey), nil }
