package engine

import (
	"bytes"
	"context"
	"crypto/subtle"
	"fmt"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/index"
)

// A provider is Options.Keys as the engine calls it: nothing that it does or returns is relied on
// before it was checked. Its errors are providerErrors, but for those that say that a key id is no
// use, which are the client's.
type provider struct{ keys crypto.KeyProvider }

// newProvider returns nil if there are no keys.
func newProvider(keys crypto.KeyProvider) *provider {
	if keys == nil {
		return nil
	}
	return &provider{keys}
}

// current returns the id of the current key.
func (p *provider) current(ctx context.Context) (id string, err error) {
	err = outside(func() (err error) {
		id, err = p.keys.CurrentKeyID(ctx)
		return err
	})
	if err != nil {
		return "", ofProvider(err)
	}
	return id, checkKeyID(id)
}

// generate returns a new data key and its wrapped form, which the provider has unwrapped again:
// what is sealed under a key that does not come back is lost.
func (p *provider) generate(
	ctx context.Context, keyID string,
) (key crypto.DataKey, w crypto.WrappedKey, err error) {
	err = outside(func() (err error) {
		key, w, err = p.keys.Generate(ctx, keyID)
		return err
	})
	if err == nil && key == (crypto.DataKey{}) {
		err = unusable("the new data key is all zero")
	}
	if err != nil {
		return crypto.DataKey{}, crypto.WrappedKey{}, ofProvider(err)
	}
	w, err = p.verify(ctx, key, w)
	return key, w, err
}

// wrap wraps a data key, and has its wrapped form unwrapped again.
func (p *provider) wrap(
	ctx context.Context, keyID string, key crypto.DataKey,
) (w crypto.WrappedKey, err error) {
	err = outside(func() (err error) {
		w, err = p.keys.Wrap(ctx, keyID, key)
		return err
	})
	if err != nil {
		return crypto.WrappedKey{}, ofProvider(err)
	}
	return p.verify(ctx, key, w)
}

// verify returns a copy of the wrapped form of a key if it is that, and can be stored.
func (p *provider) verify(
	ctx context.Context, key crypto.DataKey, w crypto.WrappedKey,
) (crypto.WrappedKey, error) {
	w.Blob = bytes.Clone(w.Blob)
	if err := checkWrapped(w); err != nil {
		return crypto.WrappedKey{}, err
	}
	again, err := p.unwrap(ctx, w)
	if err == nil && subtle.ConstantTimeCompare(again[:], key[:]) == 0 {
		err = ofProvider(
			fmt.Errorf(
				"%w: the wrapped form of a data key is of another one", crypto.ErrAuthentication,
			),
		)
	}
	if err != nil {
		return crypto.WrappedKey{}, err
	}
	return w, nil
}

// unwrap recovers a data key.
func (p *provider) unwrap(
	ctx context.Context, w crypto.WrappedKey,
) (key crypto.DataKey, err error) {
	// A copy: the provider may change what it gets, and the record must stay as it is.
	w.Blob = bytes.Clone(w.Blob)
	err = outside(func() (err error) {
		key, err = p.keys.Unwrap(ctx, w)
		return err
	})
	if err == nil && key == (crypto.DataKey{}) {
		err = unusable("the data key is all zero")
	}
	if err != nil {
		return crypto.DataKey{}, ofProvider(err)
	}
	return key, nil
}

func unusable(what string) error { return fmt.Errorf("%w: %s", crypto.ErrUnusableKey, what) }

// checkKeyID checks the id that a provider gives a wrapping key.
func checkKeyID(id string) error {
	switch {
	case id == "":
		return ofProvider(unusable("the id of the wrapping key is empty"))
	case len(id) > index.MaxKeyID:
		return ErrInvalidArgument.saying(
			"The key provider has an id of %d bytes for the key, which must have at most %d.",
			len(id), index.MaxKeyID,
		)
	}
	return nil
}

// checkWrapped checks the wrapped form of a data key.
func checkWrapped(w crypto.WrappedKey) error {
	switch {
	case len(w.Blob) == 0:
		return ofProvider(unusable("the wrapped data key is empty"))
	case len(w.Blob) > index.MaxWrappedKey:
		return ErrInvalidArgument.saying(
			"The key provider has wrapped the data key into %d bytes, which must be at most %d.",
			len(w.Blob), index.MaxWrappedKey,
		)
	}
	return checkKeyID(w.KeyID)
}
