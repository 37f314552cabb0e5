package ledger

import (
	"fmt"

	"github.com/gabion-storage/gabion/index"
)

// A CorruptionError says that records of the index contradict each other: each can be decoded, but
// what one of them refers to is missing, or is not what it should be.
type CorruptionError struct {
	What string // as "chunk 5e2d…"
	Err  error  // how it was found out
}

// Error says what is hit, and how it was found out.
func (e *CorruptionError) Error() string {
	return fmt.Sprintf("ledger: corruption: %s: %v", e.What, e.Err)
}

// Unwrap returns the cause.
func (e *CorruptionError) Unwrap() error { return e.Err }

// WrongManifest says what is wrong with the manifest of a part.
func WrongManifest(part *index.Part, format string, args ...any) error {
	return &CorruptionError{
		What: "manifest " + part.Manifest.String(), Err: fmt.Errorf(format, args...),
	}
}

func wrongChunk(id index.ChunkID, reason error) error {
	return &CorruptionError{What: "chunk " + id.String(), Err: reason}
}
