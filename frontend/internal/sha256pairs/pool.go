package sha256pairs

import (
	"crypto/sha256"
	"hash"
	"runtime"
	"sync"
)

const (
	// shortWrite is the longest Write, in bytes, that is always hashed alone: to meet another costs
	// more than it saves.
	shortWrite = 2 << 10
	// turnSize is how many bytes of a message are hashed until another may join. It also bounds the
	// time in a kernel, where the runtime cannot interrupt a goroutine.
	turnSize = 64 << 10
)

// A Pool makes hashes that may be computed in pairs. The zero Pool is ready, and safe for
// concurrent use; each of its hashes is for one goroutine at a time.
type Pool struct {
	mu      sync.Mutex
	offered *message // whose goroutine lets others run
}

// New starts a hash. What is written to it may be reused as soon as Write returns.
func (p *Pool) New() hash.Hash {
	if !supported {
		return sha256.New()
	}
	m := &message{pool: p, hashed: make(chan struct{}, 1)}
	m.Reset()
	return m
}

// hash hashes blocks, whole ones, of m.
func (p *Pool) hash(m *message, blocks []byte) {
	m.rest = blocks
	for len(m.rest) > 0 {
		switch other := p.meet(m); {
		case other != nil:
			n := min(len(m.rest), len(other.rest), turnSize)
			hashTwo(&m.state, &other.state, &m.rest[0], &other.rest[0], n/sha256.BlockSize)
			m.rest, other.rest = m.rest[n:], other.rest[n:]
			other.hashed <- struct{}{}
		case p.withdraw(m):
			n := min(len(m.rest), turnSize)
			hashOne(&m.state, &m.rest[0], n/sha256.BlockSize)
			m.rest = m.rest[n:]
		default:
			<-m.hashed
		}
	}
	m.rest = nil // it is the caller's
}

// meet takes the message that is offered, or offers m and lets other goroutines run.
func (p *Pool) meet(m *message) (other *message) {
	p.mu.Lock()
	other, p.offered = p.offered, nil
	if other == nil {
		p.offered = m
	}
	p.mu.Unlock()
	if other == nil {
		runtime.Gosched()
	}
	return other
}

// withdraw takes back the offer of m, unless somebody has taken it.
func (p *Pool) withdraw(m *message) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.offered != m {
		return false
	}
	p.offered = nil
	return true
}
