package sha256pairs

import (
	"hash"
	"testing"
)

// WriteTogether writes a to first and b to second, which meet. Both texts are whole blocks.
func WriteTogether(t *testing.T, p *Pool, first, second hash.Hash, a, b []byte) {
	t.Helper()
	m, ok := first.(*message)
	if !ok {
		t.Skip("there are no pairs here")
	}
	m.rest, p.offered = a, m
	second.Write(b)
	select {
	case <-m.hashed:
	default:
		t.Fatal("the message that was offered has not been hashed")
	}
	rest := m.rest
	m.length += uint64(len(a) - len(rest))
	first.Write(rest)
}
