package engine

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/index"
)

// maxCiphers bounds the data keys kept in memory.
const maxCiphers = 1024

// ciphers keeps the ciphers of recently used contents, so that the key provider, perhaps a remote
// service, is not asked for every part. What several calls want at once it is asked once for all.
// An answer holds for Options.KeyLifetime from when the provider was asked, however often it is
// used: then it is asked again, and may refuse.
type ciphers struct {
	keys     *provider // nil if Options.Keys was
	lifetime time.Duration

	mu         sync.Mutex // guards what follows
	known      map[wrappedContent]knownCipher
	unwrapping map[wrappedContent]*unwrapping
	closed     bool                              // nothing is kept any more
	forgetting timer                             // while anything is kept
	clock      func() moment                     // now
	after      func(time.Duration, func()) timer // as time.AfterFunc
}

// timer is what is needed of a time.Timer.
type timer interface{ Stop() bool }

// wrappedContent is what is asked for: a content whose data key is wrapped in this form. One that
// is wrapped in another form as well is asked for itself: the provider may think differently of the
// two.
type wrappedContent struct {
	id   index.ContentID
	form [sha256.Size]byte
}

func wrappedContentOf(id index.ContentID, w crypto.WrappedKey) wrappedContent {
	form := make([]byte, 0, 256) // mostly enough, and then not on the heap
	form = binary.BigEndian.AppendUint32(form, uint32(len(w.KeyID)))
	form = append(append(form, w.KeyID...), w.Blob...)
	return wrappedContent{id, sha256.Sum256(form)}
}

// knownCipher is a cipher that the provider was asked for at a moment.
type knownCipher struct {
	cipher *crypto.Cipher
	asked  moment
}

// unwrapping is one question to the provider, and those who wait for the answer.
type unwrapping struct {
	asked   moment
	cancel  context.CancelFunc
	waiters int // guarded by ciphers.mu

	done   chan struct{} // closed when there is an answer, in what follows
	cipher *crypto.Cipher
	err    error
}

// A moment is what two clocks show. Neither does alone: a monotonic one may stand still while the
// machine sleeps, and one that shows the date may be set back, which must not lengthen the life of
// a key.
type moment struct {
	monotonic time.Duration // since some start
	date      time.Time
}

// since returns how much time has passed by the clock that went further.
func (m moment) since(earlier moment) time.Duration {
	return max(m.monotonic-earlier.monotonic, m.date.Sub(earlier.date))
}

// systemClock is made of the system's. It does not ask Options.Clock, which is for stamps.
func systemClock() func() moment {
	start := time.Now()
	return func() moment {
		now := time.Now()
		return moment{now.Sub(start), now.Round(0)} // without the monotonic reading
	}
}

func newCiphers(keys *provider, lifetime time.Duration) *ciphers {
	return &ciphers{
		keys: keys, lifetime: lifetime,
		known:      make(map[wrappedContent]knownCipher),
		unwrapping: make(map[wrappedContent]*unwrapping),
		clock:      systemClock(),
		after:      func(d time.Duration, fn func()) timer { return time.AfterFunc(d, fn) },
	}
}

// generate makes a data key for a new content and returns its wrapped form, for the record.
func (c *ciphers) generate(
	ctx context.Context, id index.ContentID, keyID string,
) (wrapped crypto.WrappedKey, cipher *crypto.Cipher, err error) {
	if c.keys == nil {
		return wrapped, nil, ErrKmsServiceNotEnabled
	}
	asked := c.now()
	key, wrapped, err := c.keys.generate(ctx, keyID)
	if err != nil {
		return wrapped, nil, err
	}
	if cipher, err = crypto.NewCipher(key); err != nil {
		return wrapped, nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keepLocked(wrappedContentOf(id, wrapped), knownCipher{cipher, asked})
	return wrapped, cipher, nil
}

func (c *ciphers) now() moment {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.clock()
}

// of returns the cipher of a content, nil if it is not encrypted. It must not be under a client's
// key.
func (c *ciphers) of(
	ctx context.Context, id index.ContentID, enc *index.Encryption,
) (*crypto.Cipher, error) {
	if enc.Algorithm == "" {
		return nil, nil
	}
	w := crypto.WrappedKey{KeyID: enc.Wrapper, Blob: enc.WrappedKey}
	what := wrappedContentOf(id, w)
	cipher, u := c.join(ctx, what, w)
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

// distrust takes a cipher out of memory that does not seem to be that of the content.
func (c *ciphers) distrust(id index.ContentID, enc *index.Encryption, cipher *crypto.Cipher) {
	what := wrappedContentOf(id, crypto.WrappedKey{KeyID: enc.Wrapper, Blob: enc.WrappedKey})
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known[what].cipher == cipher { // else somebody has asked again already
		delete(c.known, what)
	}
}

// join returns the cipher of a content if it is there. Else the caller waits with others, and must
// leave; it gets nothing to wait for if there is nobody to ask.
func (c *ciphers) join(
	ctx context.Context, what wrappedContent, w crypto.WrappedKey,
) (*crypto.Cipher, *unwrapping) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.clock()
	if known, ok := c.known[what]; ok && now.since(known.asked) < c.lifetime {
		return known.cipher, nil
	}
	delete(c.known, what)
	if c.keys == nil {
		return nil, nil
	}
	u := c.unwrapping[what]
	if u == nil {
		// Not under the context of the one who happens to be first: it ends when nobody waits any
		// more.
		shared, cancel := context.WithCancel(context.WithoutCancel(ctx))
		u = &unwrapping{asked: now, cancel: cancel, done: make(chan struct{})}
		c.unwrapping[what] = u
		go c.unwrap(shared, what, w, u)
	}
	u.waiters++
	return nil, u
}

// leave is called by everybody who has joined. Behind the last one nobody joins: the answer is in
// the cache by then or lost, or the question given up.
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
func (c *ciphers) unwrap(
	ctx context.Context, what wrappedContent, w crypto.WrappedKey, u *unwrapping,
) {
	key, err := c.keys.unwrap(ctx, w)
	if err == nil {
		u.cipher, err = crypto.NewCipher(key)
	}
	u.err = err
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.keepLocked(what, knownCipher{u.cipher, u.asked})
	}
	c.forget(what, u) // who comes after a failure asks again
	close(u.done)
}

// forget lets nobody join any more. The caller holds mu.
func (c *ciphers) forget(what wrappedContent, u *unwrapping) {
	if c.unwrapping[what] == u { // another question may be under way, after this one was given up
		delete(c.unwrapping, what)
	}
}

// keepLocked puts a cipher into the cache.
func (c *ciphers) keepLocked(what wrappedContent, known knownCipher) {
	if c.closed {
		return
	}
	if len(c.known) >= maxCiphers {
		for old := range c.known { // any one: to be asked again costs one unwrap
			delete(c.known, old)
			break
		}
	}
	c.known[what] = known
	if c.forgetting == nil {
		c.forgetting = c.after(c.lifetime, c.forgetOld)
	}
}

// forgetOld takes out of memory what has had its lifetime, and comes again when the next one has.
// It does not come for each of many, and not at all when nothing is left.
func (c *ciphers) forgetOld() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgetting = nil
	now, rest := c.clock(), time.Duration(0)
	for what, known := range c.known {
		if age := now.since(known.asked); age >= c.lifetime {
			delete(c.known, what)
		} else if left := c.lifetime - age; rest == 0 || left < rest {
			rest = left
		}
	}
	if len(c.known) > 0 {
		c.forgetting = c.after(max(rest, c.lifetime/8), c.forgetOld)
	}
}

// close forgets all ciphers and keeps none from now on.
func (c *ciphers) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	clear(c.known)
	if c.forgetting != nil {
		c.forgetting.Stop()
		c.forgetting = nil
	}
}
