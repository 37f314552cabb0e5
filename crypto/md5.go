package crypto

import (
	"crypto/md5"
	"errors"
	"hash"
	"sync"

	md5simd "github.com/minio/md5-simd"
)

// lanesFrom is the number of hashes in flight from which on a new one takes a SIMD lane. The lanes
// of a server advance together, and moving data to them costs a copy: with fewer streams than this,
// crypto/md5 on the caller's own core measured faster.
const lanesFrom = 8

var errMD5Ended = errors.New("crypto: write to an MD5 after its Sum or Close")

// MD5Pool makes MD5 hashes and chooses how each is computed: by crypto/md5 while few are in flight,
// in lanes of md5-simd when many are. It is safe for concurrent use.
type MD5Pool struct {
	mu       sync.Mutex // guards the fields below; never held while waiting for the server
	inFlight int
	closed   bool
	server   md5simd.Server // nil until the first lane is taken
	busy     int            // lanes taken
	// Lanes to take again. They are never closed one by one, because the server of md5-simd v1.1.2
	// keeps each closed lane in the table that it scans for every block.
	idle []md5simd.Hasher
}

// NewMD5Pool returns an empty pool. It starts no goroutine until a lane is needed.
func NewMD5Pool() *MD5Pool { return &MD5Pool{} }

// New starts a hash. Its Close must be called. A closed pool still makes hashes, without lanes.
func (p *MD5Pool) New() *MD5 {
	server, lane := p.enter()
	switch {
	case server == nil:
		return &MD5{pool: p, hash: md5.New()}
	case lane == nil:
		lane = server.NewHash()
	default:
		lane.Reset()
	}
	return &MD5{pool: p, hash: lane, lane: lane}
}

// Close ends the goroutine behind the lanes: at once when no lane is taken, else when the last hash
// that has one is closed. Hashes in flight go on as before.
func (p *MD5Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.stopIfUnusedLocked()
}

// enter counts a new hash. It returns the server that shall compute it, nil for none, and an idle
// lane of that server, nil when a new one must be made.
func (p *MD5Pool) enter() (server md5simd.Server, lane md5simd.Hasher) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inFlight++
	if p.inFlight <= lanesFrom || p.closed {
		return nil, nil
	}
	if p.server == nil {
		p.server = md5simd.NewServer()
	}
	p.busy++
	if last := len(p.idle) - 1; last >= 0 {
		lane, p.idle = p.idle[last], p.idle[:last]
	}
	return p.server, lane
}

// leave counts a hash out and takes back its lane, nil for none.
func (p *MD5Pool) leave(lane md5simd.Hasher) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inFlight--
	if lane != nil {
		p.busy--
		p.idle = append(p.idle, lane)
		p.stopIfUnusedLocked()
	}
}

// A lane whose server has ended would block for ever, so the server outlives the last taken lane.
func (p *MD5Pool) stopIfUnusedLocked() {
	if p.closed && p.busy == 0 && p.server != nil {
		p.server.Close()
		p.server, p.idle = nil, nil
	}
}

// MD5 is a hash being computed. Use it from one goroutine at a time, and Close it in any case.
type MD5 struct {
	pool   *MD5Pool
	hash   hash.Hash
	lane   md5simd.Hasher // hash itself when it has a lane, nil otherwise
	filled int            // bytes in the unfinished block
	sum    [md5.Size]byte
	summed bool
	closed bool
}

// Write adds p to the hash. p may be reused as soon as Write returns: a lane works on its own copy.
// It fails only after Sum or Close.
func (m *MD5) Write(p []byte) (int, error) {
	if m.closed {
		return 0, errMD5Ended
	}
	n := len(p)
	// A lane that is given the rest of one block and further blocks in one Write takes two of the
	// server's 48 buffers, and wakes the server only for the second. So 48 such writers, each with
	// one buffer, could all wait for another. Ending the unfinished block separately avoids that.
	if rest := md5.BlockSize - m.filled; m.lane != nil && m.filled > 0 && n > rest {
		if _, err := m.hash.Write(p[:rest]); err != nil {
			return 0, err
		}
		p = p[rest:]
	}
	m.filled = (m.filled + n) % md5.BlockSize
	if _, err := m.hash.Write(p); err != nil {
		return n - len(p), err
	}
	return n, nil
}

// Sum ends the hash and returns the digest of all that was written. Later calls return it again.
// Sum after Close without an earlier Sum panics: there is no digest, and none must be made up.
func (m *MD5) Sum() [md5.Size]byte {
	if !m.summed {
		if m.closed {
			panic("crypto: Sum of an MD5 that was closed")
		}
		m.hash.Sum(m.sum[:0])
		m.summed = true
		m.Close()
	}
	return m.sum
}

// Close ends the hash and gives its lane back. Calls after the first, or after Sum, do nothing.
func (m *MD5) Close() {
	if m.closed {
		return
	}
	m.closed = true
	m.pool.leave(m.lane)
	m.hash, m.lane = nil, nil
}
