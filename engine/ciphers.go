package engine

import (
	"context"
	"sync"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/index"
)

// maxCiphers bounds the data keys kept in memory.
const maxCiphers = 1024

// ciphers keeps the ciphers of recently used contents, so that the key provider, perhaps a remote
// service, is not asked for every part.
type ciphers struct {
	keys crypto.KeyProvider // nil if Options.Keys was

	mu   sync.Mutex
	byID map[index.ContentID]*crypto.Cipher
}

func newCiphers(keys crypto.KeyProvider) *ciphers {
	return &ciphers{keys: keys, byID: make(map[index.ContentID]*crypto.Cipher)}
}

// generate makes a data key for a new content and returns its wrapped form, for the record.
func (c *ciphers) generate(ctx context.Context, id index.ContentID, keyID string) (wrapped crypto.WrappedKey, cipher *crypto.Cipher, err error) {
	if c.keys == nil {
		return wrapped, nil, ErrKmsServiceNotEnabled
	}
	key, wrapped, err := c.keys.Generate(ctx, keyID)
	if err != nil {
		return wrapped, nil, err
	}
	if cipher, err = crypto.NewCipher(key); err != nil {
		return wrapped, nil, err
	}
	c.keep(id, cipher)
	return wrapped, cipher, nil
}

// of returns the cipher of a content, nil if it is not encrypted. It must not be under a client's key.
func (c *ciphers) of(ctx context.Context, id index.ContentID, enc *index.Encryption) (*crypto.Cipher, error) {
	if enc.Algorithm == "" {
		return nil, nil
	}
	c.mu.Lock()
	cipher := c.byID[id]
	c.mu.Unlock()
	if cipher != nil {
		return cipher, nil
	}
	if c.keys == nil {
		return nil, ErrKmsServiceNotEnabled
	}
	key, err := c.keys.Unwrap(ctx, crypto.WrappedKey{KeyID: enc.Wrapper, Blob: enc.WrappedKey})
	if err != nil {
		return nil, err
	}
	if cipher, err = crypto.NewCipher(key); err != nil {
		return nil, err
	}
	c.keep(id, cipher)
	return cipher, nil
}

func (c *ciphers) keep(id index.ContentID, cipher *crypto.Cipher) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.byID) >= maxCiphers {
		for old := range c.byID { // any one: to be asked again costs one unwrap
			delete(c.byID, old)
			break
		}
	}
	c.byID[id] = cipher
}
