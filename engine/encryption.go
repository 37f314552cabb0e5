package engine

import (
	"context"
	"errors"
	"strings"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/index"
)

// An EncryptionAlgorithm is how a service encrypts at rest.
type EncryptionAlgorithm string

// The algorithms. All are AES-256 under a data key that Options.Keys wraps; with KMS a request may
// name the wrapping key. EncryptionKMS is OSS's name for it, EncryptionAWSKMS S3's: a request may
// say either, and an answer says that of the bucket's rules.
const (
	EncryptionAES256 EncryptionAlgorithm = "AES256"
	EncryptionKMS    EncryptionAlgorithm = "KMS"
	EncryptionAWSKMS EncryptionAlgorithm = "aws:kms"
)

func (a EncryptionAlgorithm) isKMS() bool { return a == EncryptionKMS || a == EncryptionAWSKMS }

// same says whether two names are of one algorithm.
func (a EncryptionAlgorithm) same(b EncryptionAlgorithm) bool {
	return a == b || a.isKMS() && b.isKMS()
}

// Encryption says how content is encrypted at rest; it is part of many results. All is empty for
// content that is not.
type Encryption struct {
	ServerSideEncryption EncryptionAlgorithm

	// ServerSideEncryptionKeyID is, with KMS, the wrapping key: as the request named it, else the
	// provider's own name of the one that was current when the data key was wrapped last.
	ServerSideEncryptionKeyID string

	// SSECustomerAlgorithm is EncryptionAES256 for content under a key of the client's own. It
	// cannot be read without that key.
	SSECustomerAlgorithm EncryptionAlgorithm
}

// bytes is how much memory the texts take that a client or a provider has chosen.
func (e *Encryption) bytes() int { return len(e.ServerSideEncryptionKeyID) }

func encryptionOf(enc *index.Encryption) Encryption {
	if enc.Customer {
		return Encryption{SSECustomerAlgorithm: EncryptionAlgorithm(enc.Algorithm)}
	}
	res := Encryption{
		ServerSideEncryption:      EncryptionAlgorithm(enc.Algorithm),
		ServerSideEncryptionKeyID: enc.KeyID,
	}
	if res.ServerSideEncryptionKeyID == "" && res.ServerSideEncryption.isKMS() {
		res.ServerSideEncryptionKeyID = enc.Wrapper
	}
	return res
}

// EncryptionRequest asks for encryption at rest; it is part of the requests that make objects and
// uploads. All is empty for none.
type EncryptionRequest struct {
	// ServerSideEncryption is "", EncryptionAES256 or EncryptionKMS, by either of its names. It
	// applies to all parts of an upload. Both need Options.Keys; with KMS,
	// ServerSideEncryptionKeyID may name the key.
	ServerSideEncryption      EncryptionAlgorithm
	ServerSideEncryptionKeyID string // a key of the provider's; its current one if empty

	// SSECustomerKey encrypts with a key of the client's own, which is not stored: every UploadPart
	// and every read must give it again. It excludes ServerSideEncryption and needs no
	// Options.Keys. It is S3's.
	SSECustomerKey crypto.CustomerKey
}

func (w *EncryptionRequest) check() error {
	customer, keyID := w.SSECustomerKey, w.ServerSideEncryptionKeyID
	switch {
	case customer != nil && !customer.Valid():
		return ErrInvalidArgument.saying(
			"SSECustomerKey has %d bytes, must have %d.", len(customer), crypto.CustomerKeySize,
		).about("SSECustomerKey", "")
	case customer != nil && (w.ServerSideEncryption != "" || keyID != ""):
		return ErrInvalidArgument.saying(
			"SSECustomerKey and ServerSideEncryption exclude each other.",
		).about("ServerSideEncryption", w.ServerSideEncryption)
	case w.ServerSideEncryption == "" && keyID == "":
		return nil
	case !w.ServerSideEncryption.isKMS() && keyID != "":
		return ErrInvalidArgument.saying(
			"ServerSideEncryptionKeyID goes with ServerSideEncryption KMS only.",
		).about("ServerSideEncryptionKeyID", keyID)
	case len(keyID) > index.MaxKeyID || strings.ContainsAny(keyID, "\r\n\x00"):
		return ErrInvalidArgument.saying(
			"ServerSideEncryptionKeyID must be at most %d bytes on one line.", index.MaxKeyID,
		).about("ServerSideEncryptionKeyID", keyID)
	case !w.ServerSideEncryption.isKMS() && w.ServerSideEncryption != EncryptionAES256:
		return ErrInvalidEncryptionAlgorithm.about("ServerSideEncryption", w.ServerSideEncryption)
	}
	return nil
}

// suits says whether content that is encrypted in this way need not be encrypted anew: the same
// keys guard it. Content under a client's key always is encrypted anew.
func (w *EncryptionRequest) suits(enc *index.Encryption) bool {
	return !enc.Customer && w.SSECustomerKey == nil &&
		w.ServerSideEncryption.same(EncryptionAlgorithm(enc.Algorithm)) &&
		w.ServerSideEncryptionKeyID == enc.KeyID
}

// newEncryption makes a data key for a new content, if encryption is wanted. The cipher is nil
// otherwise. rules are those of the bucket.
func (e *Engine) newEncryption(
	ctx context.Context, id index.ContentID, rules ruleSet, want *EncryptionRequest,
) (index.Encryption, *crypto.Cipher, error) {
	if err := want.check(); err != nil {
		return index.Encryption{}, nil, err
	}
	if want.SSECustomerKey != nil {
		return customerEncryption(want.SSECustomerKey)
	}
	if want.ServerSideEncryption == "" {
		return index.Encryption{}, nil, nil
	}
	wrapped, cipher, err := e.ciphers.generate(ctx, id, want.ServerSideEncryptionKeyID)
	if err != nil {
		return index.Encryption{}, nil, err
	}
	return index.Encryption{
		Algorithm: string(rules.algorithm(want.ServerSideEncryption)),
		KeyID:     want.ServerSideEncryptionKeyID, WrappedKey: wrapped.Blob, Wrapper: wrapped.KeyID,
	}, cipher, nil
}

func customerEncryption(
	customer crypto.CustomerKey,
) (enc index.Encryption, cipher *crypto.Cipher, err error) {
	key, err := crypto.NewDataKey()
	if err != nil {
		return enc, nil, err
	}
	blob, err := customer.Wrap(key)
	if err != nil {
		return enc, nil, err
	}
	cipher, err = crypto.NewCipher(key)
	return index.Encryption{
		Algorithm: string(EncryptionAES256), Customer: true, WrappedKey: blob,
	}, cipher, err
}

// cipherOf returns the cipher of a content, nil if it is not encrypted. customer is the key that
// the request gives.
func (e *Engine) cipherOf(
	ctx context.Context, id index.ContentID, enc *index.Encryption, customer crypto.CustomerKey,
) (*crypto.Cipher, error) {
	switch {
	case !enc.Customer && customer != nil:
		return nil, ErrInvalidRequest.saying(
			"SSECustomerKey is given, but the content is not encrypted with a key of the client's.",
		)
	case !enc.Customer:
		return e.ciphers.of(ctx, id, enc)
	case customer == nil:
		return nil, ErrInvalidRequest.saying(
			"The content is encrypted with a key of the client's: SSECustomerKey must give it.",
		)
	}
	// Not from the cache: whoever asks must have the key.
	key, err := customer.Unwrap(enc.WrappedKey)
	if errors.Is(err, crypto.ErrAuthentication) {
		return nil, ErrAccessDenied.saying(
			"SSECustomerKey is not the key that the content is encrypted with.",
		)
	}
	if err != nil {
		return nil, err
	}
	return crypto.NewCipher(key)
}

// provenCipher returns the cipher of a content, as cipherOf does, whose key is the content's own:
// proof verifies a MAC of a record under it. Where that fails the key may be that of another
// content, which the provider gave by mistake and which would be taken from memory for as long as
// Options.KeyLifetime: it is asked once more. With the error of a proof comes the cipher that was
// tried last.
func (e *Engine) provenCipher(
	ctx context.Context, id index.ContentID, enc *index.Encryption, customer crypto.CustomerKey,
	proof func(seals) error,
) (cipher *crypto.Cipher, err error) {
	for again := false; ; again = true {
		if cipher, err = e.cipherOf(ctx, id, enc, customer); err != nil {
			return nil, err
		}
		err = proof(e.sealsOf(id, cipher))
		if again || cipher == nil || enc.Customer || !errors.Is(err, crypto.ErrAuthentication) {
			return cipher, err
		}
		e.ciphers.distrust(id, enc, cipher)
	}
}

// otherThanBegun is what S3 says of another key of the client's than its upload was begun with.
func otherThanBegun(err error, customer crypto.CustomerKey) error {
	if customer != nil && errors.Is(err, ErrAccessDenied) {
		return ErrInvalidRequest.saying(
			"The provided encryption parameters did not match the ones used originally.",
		)
	}
	return err
}
