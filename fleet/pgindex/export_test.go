package pgindex

// OpenTraced is Open with a tracer of what is sent to the server.
var OpenTraced = open

// SQLGet is the statement that looks records up, alone or in a View.
const SQLGet = sqlGet

// WaitingGets is how many calls of Get wait for a round trip that has not begun.
func (s *Store) WaitingGets() int {
	d := s.db
	d.gets.mu.Lock()
	defer d.gets.mu.Unlock()
	if d.gets.next == nil {
		return 0
	}
	return d.gets.next.callers
}
