package s3blob

// KnowAtMost has the store know no more volumes than so many. Nothing may be under way.
func (s *Store) KnowAtMost(n int) { s.mostKnown = n }

// Known is how many volumes the store knows.
func (s *Store) Known() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.known)
}
