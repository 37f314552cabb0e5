package index

import (
	"iter"
	"sync/atomic"
)

// A Spy is a Backend in memory that counts the commits that reach it, and fails them when it is
// told to.
type Spy struct {
	memory
	Commits atomic.Int64
	Fail    atomic.Pointer[error]
	Closes  []error // what the first calls of Close return; with ErrStillOpen they do nothing
}

// Close implements Backend.
func (s *Spy) Close() error {
	if len(s.Closes) == 0 {
		return s.memory.Close()
	}
	err := s.Closes[0]
	s.Closes = s.Closes[1:]
	return err
}

// Commit implements Backend.
func (s *Spy) Commit(changes iter.Seq[Change]) error {
	s.Commits.Add(1)
	if err := s.Fail.Load(); err != nil {
		return *err
	}
	return s.memory.Commit(changes)
}

// Queued is how many updates wait.
func Queued(s *Serial) int { return len(s.queue) }

// Seal closes the envelope of fields that are already encoded.
func Seal(key []byte, version byte, fields []byte) []byte {
	body := append([]byte{version}, fields...)
	return (&encoder{buf: body}).checksummed(key)
}

// IDAfter is the search for the next upload id.
var IDAfter = idAfter
