package engine

import (
	"context"
	"errors"
	"strings"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/index"
)

// Encryption says how content is encrypted at rest; it is part of many results. All is empty for
// content that is not.
type Encryption struct {
	ServerSideEncryption      string // "AES256" or "KMS"
	ServerSideEncryptionKeyID string // as asked for with KMS

	// SSECustomerAlgorithm is "AES256" for content under a key of the client's own. It cannot be read
	// without that key.
	SSECustomerAlgorithm string
}

func encryptionOf(enc *index.Encryption) Encryption {
	if enc.Customer {
		return Encryption{SSECustomerAlgorithm: enc.Algorithm}
	}
	return Encryption{ServerSideEncryption: enc.Algorithm, ServerSideEncryptionKeyID: enc.KeyID}
}

const (
	algorithmAES256 = "AES256"
	algorithmKMS    = "KMS"
)

// wantedEncryption is what a request says of the encryption of what it makes.
type wantedEncryption struct {
	algorithm, keyID string
	customer         crypto.CustomerKey
}

func (w *wantedEncryption) check() error {
	switch {
	case w.customer != nil && !w.customer.Valid():
		return ErrInvalidArgument.saying("SSECustomerKey has %d bytes, must have %d.", len(w.customer), crypto.CustomerKeySize)
	case w.customer != nil && (w.algorithm != "" || w.keyID != ""):
		return ErrInvalidArgument.saying("SSECustomerKey and ServerSideEncryption exclude each other.")
	case w.algorithm == "" && w.keyID == "":
		return nil
	case w.algorithm != algorithmKMS && w.keyID != "":
		return ErrInvalidArgument.saying("ServerSideEncryptionKeyID goes with ServerSideEncryption KMS only.")
	case len(w.keyID) > index.MaxKeyID || strings.ContainsAny(w.keyID, "\r\n\x00"):
		return ErrInvalidArgument.saying("ServerSideEncryptionKeyID must be at most %d bytes on one line.", index.MaxKeyID)
	case w.algorithm != algorithmKMS && w.algorithm != algorithmAES256:
		return ErrInvalidEncryptionAlgorithm
	}
	return nil
}

// suits says whether content that is encrypted in this way need not be encrypted anew: the same
// keys guard it. Content under a client's key always is encrypted anew.
func (w *wantedEncryption) suits(enc *index.Encryption) bool {
	return !enc.Customer && w.customer == nil && w.algorithm == enc.Algorithm && w.keyID == enc.KeyID
}

// newEncryption makes a data key for a new content, if encryption is wanted. The cipher is nil
// otherwise.
func (e *Engine) newEncryption(ctx context.Context, id index.ContentID, want wantedEncryption) (index.Encryption, *crypto.Cipher, error) {
	if err := want.check(); err != nil {
		return index.Encryption{}, nil, err
	}
	if want.customer != nil {
		return customerEncryption(want.customer)
	}
	if want.algorithm == "" {
		return index.Encryption{}, nil, nil
	}
	wrapped, cipher, err := e.ciphers.generate(ctx, id, want.keyID)
	if err != nil {
		return index.Encryption{}, nil, err
	}
	return index.Encryption{
		Algorithm: want.algorithm, KeyID: want.keyID, WrappedKey: wrapped.Blob, Wrapper: wrapped.KeyID,
	}, cipher, nil
}

func customerEncryption(customer crypto.CustomerKey) (enc index.Encryption, cipher *crypto.Cipher, err error) {
	key, err := crypto.NewDataKey()
	if err != nil {
		return enc, nil, err
	}
	blob, err := customer.Wrap(key)
	if err != nil {
		return enc, nil, err
	}
	cipher, err = crypto.NewCipher(key)
	return index.Encryption{Algorithm: algorithmAES256, Customer: true, WrappedKey: blob}, cipher, err
}

// cipherOf returns the cipher of a content, nil if it is not encrypted. customer is the key that
// the request gives.
func (e *Engine) cipherOf(ctx context.Context, id index.ContentID, enc *index.Encryption, customer crypto.CustomerKey) (*crypto.Cipher, error) {
	switch {
	case !enc.Customer && customer != nil:
		return nil, ErrInvalidRequest.saying("SSECustomerKey is given, but the content is not encrypted with a key of the client's.")
	case !enc.Customer:
		return e.ciphers.of(ctx, id, enc)
	case customer == nil:
		return nil, ErrInvalidRequest.saying("The content is encrypted with a key of the client's: SSECustomerKey must give it.")
	}
	// Not from the cache: whoever asks must have the key.
	key, err := customer.Unwrap(enc.WrappedKey)
	if errors.Is(err, crypto.ErrAuthentication) {
		return nil, ErrAccessDenied.saying("SSECustomerKey is not the key that the content is encrypted with.")
	}
	if err != nil {
		return nil, err
	}
	return crypto.NewCipher(key)
}
