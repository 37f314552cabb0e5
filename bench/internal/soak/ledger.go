package soak

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
)

// held is a content as it lies in the store. The zero value is nothing.
type held struct {
	Content
	Encrypted bool
	origin    uint64 // of encrypted content: the write that encrypted it, since duplicates are not found
}

// A ledger counts the bytes that must be there.
type ledger struct {
	underWay atomic.Int64 // of bodies and uploads that are not complete

	mu    sync.Mutex // guards the fields below
	owner map[held]int
	bytes int64
}

func newLedger() *ledger { return &ledger{owner: map[held]int{}} }

func (l *ledger) hold(h held) {
	if h == (held{}) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.owner[h]++; l.owner[h] == 1 {
		l.bytes += h.Stored(h.Size)
	}
}

func (l *ledger) release(h held) {
	if h == (held{}) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.owner[h]--; l.owner[h] == 0 {
		delete(l.owner, h)
		l.bytes -= h.Stored(h.Size)
	}
}

// Live returns how many bytes must be on disk; see the package comment.
func (m *Model) Live() int64 {
	m.ledger.mu.Lock()
	defer m.ledger.mu.Unlock()
	return m.ledger.bytes + m.ledger.underWay.Load()
}

// names tells what a key may be.
func (k *modelKey) names() string {
	var b strings.Builder
	for _, v := range k.versions {
		switch {
		case v.id == 0 && v.start == 0:
			b.WriteString(" absent from the start;")
		case v.id == 0:
			b.WriteString(" deleted;")
		default:
			fmt.Fprintf(&b, " write %d, %d bytes;", v.id, v.what.Size)
		}
	}
	return b.String()
}
