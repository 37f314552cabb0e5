package index

import (
	"iter"
	"sync/atomic"
)

// A Spy is a Backend in memory that counts the commits that reach it, and fails them when it is told to.
type Spy struct {
	memory
	Commits atomic.Int64
	Fail    atomic.Pointer[error]
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

// Codec is what a record has beside being one, for generic tests.
type Codec interface {
	encode(e *encoder)
	decode(d *decoder)
}

// Recode decodes a record and encodes what came out.
type Recode func(key, value []byte) ([]byte, error)

func recode[R any, P record[R]](key, value []byte) ([]byte, error) {
	rec, err := open[R, P](key, value)
	if err != nil {
		return nil, err
	}
	return seal[R](key, P(&rec))
}

// Records has one Recode for each type of record.
var Records = []Recode{
	recode[Header], recode[Bucket], recode[Upload], recode[Part], recode[Page], recode[Directory], recode[Object], recode[Chunk], recode[Volume],
	recode[Trash], recode[Totals], recode[Inline], recode[Shared], recode[Completed],
	recode[Answer], recode[Idle], recode[Ends],
}

// Seal closes the envelope of fields that are already encoded.
func Seal(key []byte, version byte, fields []byte) []byte {
	body := append([]byte{version}, fields...)
	return (&encoder{buf: body}).checksummed(key)
}

// IDAfter is the search for the next upload id.
var IDAfter = idAfter
