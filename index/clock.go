package index

import (
	"context"
	"time"
)

// A Clock is a Store that has a clock, which is the same for all processes that have the store open.
type Clock interface {
	// Now returns the time of that clock. It may be called from many goroutines.
	Now(ctx context.Context) (time.Time, error)
}
