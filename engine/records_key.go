package engine

import (
	"bytes"
	"context"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/index"
)

// The key of a store whose records are authenticated, see Options.AuthenticateRecords, is a data
// key like that of an upload. It lies wrapped in the store's header, and is made with it.

// algorithmRecords is what the key in the header is for.
const algorithmRecords = "HMAC-SHA256"

// makeRecordsKey makes the key of a new store, if it is to have one.
func (e *Engine) makeRecordsKey(
	ctx context.Context, header *index.Header,
) (*crypto.Authenticator, error) {
	if !e.opts.AuthenticateRecords {
		return nil, nil
	}
	key, wrapped, err := e.keys.generate(ctx, "")
	if err != nil {
		return nil, err
	}
	header.Records = index.Encryption{
		Algorithm: algorithmRecords, WrappedKey: wrapped.Blob, Wrapper: wrapped.KeyID,
	}
	return crypto.NewStoreAuthenticator(key)
}

// openRecordsKey has the key of a store unwrapped, if it has one.
func (e *Engine) openRecordsKey(ctx context.Context, header *index.Header) error {
	rec := &header.Records
	switch {
	case e.records != nil: // it was made just now
		return nil
	case rec.Algorithm == "" && !e.opts.AuthenticateRecords:
		return nil
	case rec.Algorithm == "":
		// Made without the option, or made to look so by who writes the disk: nothing in it would
		// be found out.
		return ErrInvalidArgument.saying(
			"Options: AuthenticateRecords is set, but the records of this store have no key.",
		)
	case e.keys == nil:
		return ErrKmsServiceNotEnabled.saying(
			"The records of this store are authenticated: Options.Keys must give their key.",
		)
	}
	w := crypto.WrappedKey{KeyID: rec.Wrapper, Blob: rec.WrappedKey}
	key, err := e.keys.unwrap(ctx, w)
	if err == nil {
		// Twice: what is signed with a key that was given by mistake is refused with the right one.
		_, err = e.keys.verify(ctx, key, w)
	}
	if err != nil {
		return err
	}
	e.records, err = crypto.NewStoreAuthenticator(key)
	return err
}

// isRecordsKey fails with a *CorruptionError unless a data key is that of the store's records.
func (e *Engine) isRecordsKey(key crypto.DataKey) error {
	other, err := crypto.NewStoreAuthenticator(key)
	if err != nil {
		return err
	}
	const probe = "which key is it"
	message := func(buf []byte) []byte { return append(buf, probe...) }
	if e.records == nil || !bytes.Equal(e.records.MAC(message), other.MAC(message)) {
		return &CorruptionError{
			What: "the key of the store's records", Where: "index", Err: crypto.ErrAuthentication,
		}
	}
	return nil
}
