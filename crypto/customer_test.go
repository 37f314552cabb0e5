package crypto_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/gabion-storage/gabion/crypto"
)

var customer = crypto.CustomerKey(bytes.Repeat([]byte{0xAB}, crypto.CustomerKeySize))

func wrapFor(t testing.TB, k crypto.CustomerKey, key crypto.DataKey) (blob []byte) {
	t.Helper()
	blob, err := k.Wrap(key)
	if err != nil {
		t.Fatal(err)
	}
	return blob
}

func checkNotUnwrapped(t testing.TB, what string, k crypto.CustomerKey, blob []byte) {
	t.Helper()
	key, err := k.Unwrap(blob)
	if !errors.Is(err, crypto.ErrAuthentication) || key != (crypto.DataKey{}) {
		t.Errorf("%s: zero key %t, %v", what, key == crypto.DataKey{}, err)
	}
}

func TestCustomerKeyLife(t *testing.T) {
	key, err := crypto.NewDataKey()
	if err != nil {
		t.Fatal(err)
	}
	blob := wrapFor(t, customer, key)
	if bytes.Contains(blob, key[:8]) || bytes.Contains(blob, customer[:8]) {
		t.Error("a key shows in the wrapped key")
	}
	if bytes.Equal(blob, wrapFor(t, customer, key)) {
		t.Error("two seals have one nonce")
	}
	before := bytes.Clone(blob)
	for range 2 {
		got, err := customer.Unwrap(blob)
		if err != nil || got != key {
			t.Errorf("Unwrap: right %t, %v", got == key, err)
		}
		if !bytes.Equal(blob, before) {
			t.Error("Unwrap changes the blob")
		}
	}
}

func TestCustomerKeyRefusesOthers(t *testing.T) {
	blob := wrapFor(t, customer, secret)
	eachFlip(customer, func(_ int, flipped []byte) {
		checkNotUnwrapped(t, "another key", flipped, blob)
	})
	eachFlip(blob, func(_ int, flipped []byte) {
		checkNotUnwrapped(t, "an altered blob", customer, flipped)
	})
	for n := range blob {
		checkNotUnwrapped(t, "a cut blob", customer, blob[:n])
	}
	checkNotUnwrapped(t, "a byte more", customer, append(bytes.Clone(blob), 0))
}

// A key ring whose generation has the bytes of the customer key must not unwrap for it, nor the
// other way round: each has a wrapping key and associated data of its own.
func TestCustomerKeyIsNoGeneration(t *testing.T) {
	ring := openRingText(t, keyLine(1, customer))
	_, w := generate(t, ring, "")
	checkNotUnwrapped(t, "a blob of a key ring", customer, w.Blob)
	w.Blob = wrapFor(t, customer, secret)
	if _, err := ring.Unwrap(t.Context(), w); !errors.Is(err, crypto.ErrAuthentication) {
		t.Errorf("a key ring unwraps for a customer: %v", err)
	}
}

func TestCustomerKeyLength(t *testing.T) {
	blob := wrapFor(t, customer, secret)
	for n := range 2*crypto.CustomerKeySize + 1 {
		k := crypto.CustomerKey(bytes.Repeat(customer[:1], n))
		if n == crypto.CustomerKeySize {
			if !k.Valid() {
				t.Errorf("%d bytes are not valid", n)
			}
			continue
		}
		if k.Valid() {
			t.Errorf("%d bytes are valid", n)
		}
		if blob, err := k.Wrap(secret); err == nil || blob != nil {
			t.Errorf("a key of %d bytes wraps: %d bytes, %v", n, len(blob), err)
		}
		checkNotUnwrapped(t, "a key of a wrong length", k, blob)
	}
}
