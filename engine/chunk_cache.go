package engine

import (
	"io/fs"
	"slices"
	"sync"
)

// chunksKept is how many chunks an Object keeps for ReadAt.
const chunksKept = 4

// A chunkCache keeps the chunks that ReadAt has used last. They were verified when they came: many
// small reads of a chunk cost one verification, and those that come at once share one.
type chunkCache struct {
	mu     sync.Mutex
	kept   []*keptChunk // the one used last is the last
	closed bool
}

// A keptChunk is a chunk of the object, of which data or err is there when ready is closed.
type keptChunk struct {
	start, end int64
	users      int // guarded by chunkCache.mu
	ready      chan struct{}
	data       chunkData
	err        error
}

// read copies bytes from an offset of the object on, as far as one chunk has them. The offset is
// below the object's size.
func (c *chunkCache) read(s *source, at int64, p []byte) (int, error) {
	chunk, err := c.acquire(s, at)
	if err != nil {
		return 0, err
	}
	defer c.release(chunk)
	return copy(p, chunk.data.from(at)), nil
}

// acquire returns the chunk that holds the byte at, verified. Who gets one must release it.
func (c *chunkCache) acquire(s *source, at int64) (*keptChunk, error) {
	chunk, first := c.find(at), false
	if chunk == nil {
		start, end, err := s.chunkSpan(at)
		if err != nil {
			return nil, err
		}
		if chunk, first = c.enter(start, end); chunk == nil {
			return nil, fs.ErrClosed
		}
	}
	if first {
		chunk.err = s.load(at, &chunk.data)
		close(chunk.ready)
	} else {
		<-chunk.ready
	}
	if chunk.err != nil {
		c.forget(chunk) // the next one tries again
		c.release(chunk)
		return nil, chunk.err
	}
	return chunk, nil
}

// find returns the chunk that holds the byte at, if it is kept.
func (c *chunkCache) find(at int64) *keptChunk {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.useLocked(at)
}

// enter returns the chunk of this span, and whether it is for the caller to load it. It returns
// none when the cache is closed.
func (c *chunkCache) enter(start, end int64) (chunk *keptChunk, first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, false
	}
	if chunk := c.useLocked(start); chunk != nil { // somebody came first
		return chunk, false
	}
	chunk = &keptChunk{start: start, end: end, users: 1, ready: make(chan struct{})}
	if len(c.kept) >= chunksKept {
		chunk.data = c.evictLocked()
	}
	c.kept = append(c.kept, chunk)
	return chunk, true
}

// useLocked counts one user more of the chunk that holds the byte at, if it is kept.
func (c *chunkCache) useLocked(at int64) *keptChunk {
	holds := func(k *keptChunk) bool { return at >= k.start && at < k.end }
	n := slices.IndexFunc(c.kept, holds)
	if n < 0 {
		return nil
	}
	chunk := c.kept[n]
	chunk.users++
	c.kept = append(slices.Delete(c.kept, n, n+1), chunk)
	return chunk
}

// evictLocked gives up the chunk that was not used for longest and returns its memory. If all are
// being used there is none, and one more is kept until they are not.
func (c *chunkCache) evictLocked() (memory chunkData) {
	idle := func(k *keptChunk) bool { return k.users == 0 }
	if n := slices.IndexFunc(c.kept, idle); n >= 0 {
		memory = c.kept[n].data
		c.kept = slices.Delete(c.kept, n, n+1)
	}
	return memory
}

// release undoes one acquire.
func (c *chunkCache) release(chunk *keptChunk) {
	c.mu.Lock()
	defer c.mu.Unlock()
	chunk.users--
	if len(c.kept) > chunksKept {
		c.evictLocked()
	}
}

// forget keeps a chunk no longer.
func (c *chunkCache) forget(chunk *keptChunk) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := slices.Index(c.kept, chunk); n >= 0 {
		c.kept = slices.Delete(c.kept, n, n+1)
	}
}

// close keeps nothing from now on. Who is using a chunk may go on.
func (c *chunkCache) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept, c.closed = nil, true
}
