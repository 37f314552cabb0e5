package md5lanes

import (
	"crypto/md5"
	"errors"
	"sync/atomic"
)

// shortWrite is the longest Write, in bytes, that is always hashed alone, by crypto/md5: to gather
// a crew for it would cost more than the lanes save.
const shortWrite = 2 << 10

var errEnded = errors.New("md5lanes: write to an MD5 after its Sum or Close")

// Pool makes MD5 hashes. Writes of different hashes that find the processors busy are hashed
// together, in lanes: see crews. It is safe for concurrent use.
type Pool struct {
	crews    crews
	inFlight atomic.Int64
}

// NewPool returns an empty pool.
func NewPool() *Pool {
	p := &Pool{}
	if stateKnown() {
		p.crews.kernels = kernels
	}
	return p
}

// New starts a hash. Its Close must be called. The pool has no goroutines, and no end of its own.
func (p *Pool) New() *Hash {
	p.inFlight.Add(1)
	return &Hash{pool: p, member: member{std: md5.New()}}
}

// Hash is an MD5 being computed. Use it from one goroutine at a time, and Close it in any case.
type Hash struct {
	pool   *Pool
	member member
	sum    [md5.Size]byte
	summed bool
	closed bool
}

// Write adds p to the hash. p may be reused as soon as Write returns. It fails only after Sum or
// Close, and where FIPS 140 forbids MD5.
func (h *Hash) Write(p []byte) (int, error) {
	if h.closed {
		return 0, errEnded
	}
	n := len(p)
	if n > shortWrite && len(h.pool.crews.kernels) > 0 {
		if filled := int(h.member.length % md5.BlockSize); filled > 0 {
			rest := md5.BlockSize - filled
			if err := h.member.alone(p[:rest]); err != nil {
				return 0, err
			}
			p = p[rest:]
		}
		for len(p) >= md5.BlockSize {
			blocks := p[:min(len(p), turnSize)&^(md5.BlockSize-1)]
			h.pool.crews.hash(&h.member, blocks, h.pool.inFlight.Load() > 1)
			p = p[len(blocks):]
		}
	}
	if err := h.member.alone(p); err != nil {
		return n - len(p), err
	}
	return n, nil
}

// Sum ends the hash and returns the digest of all that was written. Later calls return it again.
// Sum after Close without an earlier Sum panics: there is no digest, and none must be made up.
func (h *Hash) Sum() [md5.Size]byte {
	if !h.summed {
		if h.closed {
			panic("md5lanes: Sum of an MD5 that was closed")
		}
		h.member.leaveLanes()
		h.member.std.Sum(h.sum[:0])
		h.summed = true
		h.Close()
	}
	return h.sum
}

// Close ends the hash. Calls after the first, or after Sum, do nothing.
func (h *Hash) Close() {
	if h.closed {
		return
	}
	h.closed = true
	h.pool.inFlight.Add(-1)
	h.member.std = nil
}
