package crypto

import (
	"crypto/md5"
	"errors"
	"sync/atomic"
)

// md5Short is the length of a Write up to which it is not worth while to look for company.
const md5Short = 2 << 10

var errMD5Ended = errors.New("crypto: write to an MD5 after its Sum or Close")

// MD5Pool makes MD5 hashes, and lets those whose Writes find the processors busy hash together: see
// md5Crews. It is safe for concurrent use.
type MD5Pool struct {
	crews    md5Crews
	inFlight atomic.Int64
}

// NewMD5Pool returns an empty pool.
func NewMD5Pool() *MD5Pool {
	p := &MD5Pool{}
	if md5StateKnown() {
		p.crews.kernels = md5Kernels
	}
	return p
}

// New starts a hash. Its Close must be called. The pool has no goroutines, and no end of its own.
func (p *MD5Pool) New() *MD5 {
	p.inFlight.Add(1)
	return &MD5{pool: p, member: md5Member{std: md5.New()}}
}

// MD5 is a hash being computed. Use it from one goroutine at a time, and Close it in any case.
type MD5 struct {
	pool   *MD5Pool
	member md5Member
	sum    [md5.Size]byte
	summed bool
	closed bool
}

// Write adds p to the hash. p may be reused as soon as Write returns. It fails only after Sum or
// Close, and where FIPS 140 forbids MD5.
func (m *MD5) Write(p []byte) (int, error) {
	if m.closed {
		return 0, errMD5Ended
	}
	n := len(p)
	if n > md5Short && len(m.pool.crews.kernels) > 0 {
		if filled := int(m.member.length % md5.BlockSize); filled > 0 {
			rest := md5.BlockSize - filled
			if err := m.member.alone(p[:rest]); err != nil {
				return 0, err
			}
			p = p[rest:]
		}
		for len(p) >= md5.BlockSize {
			turn := p[:min(len(p), md5Turn)&^(md5.BlockSize-1)]
			m.pool.crews.hash(&m.member, turn, m.pool.inFlight.Load() > 1)
			p = p[len(turn):]
		}
	}
	if err := m.member.alone(p); err != nil {
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
		m.member.leaveLanes()
		m.member.std.Sum(m.sum[:0])
		m.summed = true
		m.Close()
	}
	return m.sum
}

// Close ends the hash. Calls after the first, or after Sum, do nothing.
func (m *MD5) Close() {
	if m.closed {
		return
	}
	m.closed = true
	m.pool.inFlight.Add(-1)
	m.member.std = nil
}
