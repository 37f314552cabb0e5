package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// TestRotateKeysRefusals has the provider refuse more data keys in a row than make an outage. A
// refusal is an answer, whatever it says: those behind must be done.
func TestRotateKeysRefusals(t *testing.T) {
	const refused, rest = 70, 5 // 64 are an outage
	refuse := func(err error) func(*hookedKeys, string) {
		return func(h *hookedKeys, first string) {
			h.unwrap = func(keyID string) error {
				if keyID == first {
					return fmt.Errorf("%w: says the service", err)
				}
				return nil
			}
		}
	}
	// What the engine itself refuses of what the provider has returned.
	form := func(bad crypto.WrappedKey) func(*hookedKeys, string) {
		return func(h *hookedKeys, first string) {
			h.KeyProvider = &selectiveWrapper{h.KeyProvider.(*crypto.Keyring), first, bad, sync.Map{}}
		}
	}
	cases := map[string]struct {
		want error
		arm  func(h *hookedKeys, first string)
	}{
		"an empty form":   {crypto.ErrUnusableKey, form(crypto.WrappedKey{KeyID: "key"})},
		"an empty id":     {crypto.ErrUnusableKey, form(crypto.WrappedKey{Blob: []byte("blob")})},
		"too long a form": {engine.ErrInvalidArgument, form(crypto.WrappedKey{KeyID: "key", Blob: make([]byte, index.MaxWrappedKey+1)})},
		"too long an id":  {engine.ErrInvalidArgument, form(crypto.WrappedKey{KeyID: strings.Repeat("k", index.MaxKeyID+1), Blob: []byte("blob")})},
	}
	for _, err := range []error{
		crypto.ErrKeyNotFound, crypto.ErrKeyDisabled, crypto.ErrKeyPendingDeletion, crypto.ErrKeyPendingImport,
		crypto.ErrAccessDenied, crypto.ErrAuthentication, crypto.ErrUnusableKey,
	} {
		c := cases[err.Error()]
		c.want, c.arm = err, refuse(err)
		cases[err.Error()] = c
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			ring := keys(t)
			h := &hookedKeys{KeyProvider: ring}
			e, err := engine.OpenStores(t.Context(), index.NewMemory(), blob.NewMemory(0), &engine.Options{Keys: h})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			first := ring.KeyIDs()[0]
			smallObjects(t, e, "a-refused", refused)
			mustRotate(t, ring)
			smallObjects(t, e, "b-rest", rest)
			mustRotate(t, ring)
			c.arm(h, first)
			if _, err := e.RotateKeys(t.Context(), nil); !errors.Is(err, c.want) {
				t.Errorf("RotateKeys: %v, want %v", err, c.want)
			}
			h.KeyProvider, h.unwrap = ring, nil
			if n := mustRotateKeys(t, e); n != refused {
				t.Errorf("%d were left, wanted are the %d refused", n, refused)
			}
		})
	}
}

// selectiveWrapper wraps the keys that were wrapped under the first generation in a bad form.
type selectiveWrapper struct {
	*crypto.Keyring
	first string
	bad   crypto.WrappedKey
	hit   sync.Map // of crypto.DataKey
}

func (s *selectiveWrapper) Unwrap(ctx context.Context, w crypto.WrappedKey) (crypto.DataKey, error) {
	key, err := s.Keyring.Unwrap(ctx, w)
	if w.KeyID == s.first {
		s.hit.Store(key, true)
	}
	return key, err
}

func (s *selectiveWrapper) Wrap(ctx context.Context, keyID string, key crypto.DataKey) (crypto.WrappedKey, error) {
	if _, hit := s.hit.Load(key); hit {
		return s.bad, nil
	}
	return s.Keyring.Wrap(ctx, keyID, key)
}

// TestRotateKeysNeverDone has another key be current with each data key that is wrapped. It must not
// pass for done.
func TestRotateKeysNeverDone(t *testing.T) {
	ring := keys(t)
	h := &hookedKeys{KeyProvider: ring}
	e, err := engine.OpenStores(t.Context(), index.NewMemory(), blob.NewMemory(0), &engine.Options{Keys: h})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	names := smallObjects(t, e, "key", 2)
	h.wrap = func(string) error {
		_, err := ring.Rotate()
		return err
	}
	mustRotate(t, ring)
	if _, err := e.RotateKeys(t.Context(), nil); !errors.Is(err, engine.ErrUnavailable) {
		t.Errorf("RotateKeys: %v, want %v", err, engine.ErrUnavailable)
	}
	h.wrap = nil
	mustRotateKeys(t, e)
	checkSmall(t, e, names...)
}
