package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/index"
)

// errNoAnswer stands for the answer of a provider that ends its goroutine instead.
var errNoAnswer = errors.New("engine: the key provider did not answer")

// maxCiphers bounds the data keys kept in memory.
const maxCiphers = 1024

// ciphers keeps the ciphers of recently used contents, so that the key provider, perhaps a remote
// service, is not asked for every part. What several calls want at once it is asked once for all.
type ciphers struct {
	keys crypto.KeyProvider // nil if Options.Keys was

	mu         sync.Mutex // guards what follows
	byID       map[index.ContentID]*crypto.Cipher
	unwrapping map[wrappedContent]*unwrapping
}

// wrappedContent is what is asked for: a content whose data key is wrapped in this form.
type wrappedContent struct {
	id            index.ContentID
	keyID, sealed string
}

// unwrapping is one question to the provider, and those who wait for the answer.
type unwrapping struct {
	cancel  context.CancelFunc
	waiters int // guarded by ciphers.mu

	done   chan struct{} // closed when there is an answer, in what follows
	cipher *crypto.Cipher
	err    error
}

func newCiphers(keys crypto.KeyProvider) *ciphers {
	return &ciphers{keys: keys, byID: make(map[index.ContentID]*crypto.Cipher), unwrapping: make(map[wrappedContent]*unwrapping)}
}

// generate makes a data key for a new content and returns its wrapped form, for the record.
func (c *ciphers) generate(ctx context.Context, id index.ContentID, keyID string) (wrapped crypto.WrappedKey, cipher *crypto.Cipher, err error) {
	if c.keys == nil {
		return wrapped, nil, ErrKmsServiceNotEnabled
	}
	key, wrapped, err := c.keys.Generate(ctx, keyID)
	if err != nil {
		return wrapped, nil, ofProvider(err)
	}
	if cipher, err = crypto.NewCipher(key); err != nil {
		return wrapped, nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(id, cipher)
	return wrapped, cipher, nil
}

// of returns the cipher of a content, nil if it is not encrypted. It must not be under a client's key.
func (c *ciphers) of(ctx context.Context, id index.ContentID, enc *index.Encryption) (*crypto.Cipher, error) {
	if enc.Algorithm == "" {
		return nil, nil
	}
	what := wrappedContent{id, enc.Wrapper, string(enc.WrappedKey)}
	cipher, u := c.join(ctx, what)
	switch {
	case cipher != nil:
		return cipher, nil
	case u == nil:
		return nil, ErrKmsServiceNotEnabled
	}
	defer c.leave(what, u)
	select {
	case <-u.done:
		return u.cipher, u.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// join returns the cipher of a content if it is there. Else the caller waits with others, and must
// leave; it gets nothing to wait for if there is nobody to ask.
func (c *ciphers) join(ctx context.Context, what wrappedContent) (*crypto.Cipher, *unwrapping) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cipher := c.byID[what.id]; cipher != nil || c.keys == nil {
		return cipher, nil
	}
	u := c.unwrapping[what]
	if u == nil {
		// Not under the context of the one who happens to be first: it ends when nobody waits any more.
		shared, cancel := context.WithCancel(context.WithoutCancel(ctx))
		u = &unwrapping{cancel: cancel, done: make(chan struct{}), err: errNoAnswer}
		c.unwrapping[what] = u
		go c.unwrap(shared, what, u)
	}
	u.waiters++
	return nil, u
}

// leave is called by everybody who has joined. Behind the last one nobody joins: the answer is in the
// cache by then or lost, or the question given up.
func (c *ciphers) leave(what wrappedContent, u *unwrapping) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if u.waiters--; u.waiters > 0 {
		return
	}
	u.cancel()
	c.forget(what, u)
}

// unwrap asks the provider.
func (c *ciphers) unwrap(ctx context.Context, what wrappedContent, u *unwrapping) {
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if u.err == nil {
			c.keep(what.id, u.cipher)
		}
		c.forget(what, u) // who comes after a failure asks again
		close(u.done)
	}()
	key, err := c.ask(ctx, crypto.WrappedKey{KeyID: what.keyID, Blob: []byte(what.sealed)})
	if u.err = err; err == nil {
		u.cipher, u.err = crypto.NewCipher(key)
	}
}

// ask calls the provider, which is the caller's code, on a goroutine of ours, where its panic would
// end the process.
func (c *ciphers) ask(ctx context.Context, w crypto.WrappedKey) (_ crypto.DataKey, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it panicked: %v", p)
		}
		err = ofProvider(err)
	}()
	return c.keys.Unwrap(ctx, w)
}

// forget lets nobody join any more. The caller holds mu.
func (c *ciphers) forget(what wrappedContent, u *unwrapping) {
	if c.unwrapping[what] == u { // another question may be under way, after this one was given up
		delete(c.unwrapping, what)
	}
}

// keep puts a cipher into the cache. The caller holds mu.
func (c *ciphers) keep(id index.ContentID, cipher *crypto.Cipher) {
	if len(c.byID) >= maxCiphers {
		for old := range c.byID { // any one: to be asked again costs one unwrap
			delete(c.byID, old)
			break
		}
	}
	c.byID[id] = cipher
}
