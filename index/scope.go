package index

// ScopeKind says how far a chunk without encryption can be found by its content.
type ScopeKind uint8

// The kinds of scopes.
const (
	ScopeStore  ScopeKind = iota // the whole store: its address has no key
	ScopeBucket                  // one bucket
	ScopePart                    // one part as it was uploaded, and copies of it by reference
)

// Scope is how far the chunks of a part can be found by deduplication: their addresses are made
// under a key of the scope. The zero value is the whole store. Sealed chunks are addressed under
// their data key instead, whatever the scope says.
type Scope struct {
	Kind ScopeKind

	// ID is the Generation of the bucket, or the ManifestID that the part was uploaded under; zero
	// for ScopeStore.
	ID [16]byte
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
