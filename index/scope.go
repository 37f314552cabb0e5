package index

// ScopeKind says within what a chunk without encryption is found again by its content.
type ScopeKind uint8

// The kinds of scopes.
const (
	ScopeStore  ScopeKind = iota // the whole store: its address has no key
	ScopeBucket                  // one bucket
	ScopePart                    // one part as it was uploaded, and copies of it by reference
)

// Scope is within what the chunks of a part are found again: their addresses are made under a key
// of the scope. The zero value is the whole store. Chunks that are sealed are addressed under their
// data key instead, whatever the scope says.
type Scope struct {
	Kind ScopeKind
	ID   [16]byte // the Generation of the bucket, or the ManifestID that the part was uploaded under; zero for ScopeStore
}

// encode writes one byte for the whole store, the commonest: Complete moves thousands of parts in
// one transaction.
func (s *Scope) encode(e *encoder) {
	switch {
	case s.Kind > ScopePart:
		e.fail("unknown kind of scope %d", s.Kind)
	case s.Kind == ScopeStore && s.ID != [16]byte{}:
		e.fail("the scope of the whole store has id %x", s.ID)
	}
	e.uint(uint64(s.Kind))
	if s.Kind != ScopeStore {
		e.fixed(s.ID[:])
	}
}

func (s *Scope) decode(d *decoder) {
	if s.Kind = ScopeKind(d.uint(uint64(ScopePart))); s.Kind != ScopeStore {
		s.ID = [16]byte(d.fixed(16))
	}
}
