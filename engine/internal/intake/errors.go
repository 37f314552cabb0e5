package intake

import "fmt"

// A ReadError says that a body has failed, or has not behaved as an io.Reader has to.
type ReadError struct{ Err error }

func (e *ReadError) Error() string { return "intake: reading the body: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *ReadError) Unwrap() error { return e.Err }

// A SizeError says that a body has not the size that it must have.
type SizeError struct {
	Got   int64 // bytes that came
	Size  int64 // that were declared, or AnySize
	Limit int64 // that are allowed
}

func (e *SizeError) Error() string {
	return fmt.Sprintf(
		"intake: the body has %d bytes, declared are %d, allowed %d", e.Got, e.Size, e.Limit,
	)
}

// A MemoryError says that the system has no memory for a buffer, though the budget has.
type MemoryError struct{ Err error }

func (e *MemoryError) Error() string { return "intake: no memory for a buffer: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *MemoryError) Unwrap() error { return e.Err }
