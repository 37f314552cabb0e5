package engine

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/gabion-storage/gabion/index"
)

// An indexSpace sees to it that the index can always be compacted, which takes free space for all
// that lives in it. So small bodies are kept in the index only while it is small beside the disk,
// and what a large index needs is not given to anything else.
type indexSpace struct {
	index index.Store
	calls atomic.Int64
	needs atomic.Int64 // bytes
}

const (
	// indexShare of what is free may be in the index before bodies go to volumes, where dead chunks
	// come back without copying.
	indexShare = 8
	// indexAsks is after how many calls the index is asked again, which walks its directory. So
	// many bodies are 8 MiB.
	indexAsks = 256
	// indexDead is for how many dead bytes Reclaim compacts the index: those of half a table.
	indexDead = 4 << 20
)

// compactBytes is how much free space compacting takes, as of a few calls ago.
func (s *indexSpace) compactBytes() (int64, error) {
	if (s.calls.Add(1)-1)%indexAsks != 0 {
		return s.needs.Load(), nil
	}
	u, err := s.index.Usage(context.Background())
	if errors.Is(err, index.ErrClosed) {
		return s.needs.Load(), nil // the call that asks will find that out by itself
	}
	if err != nil {
		s.calls.Store(0) // so the next call asks again, instead of many that rely on nothing
		return 0, err
	}
	s.needs.Store(u.CompactBytes)
	return u.CompactBytes, nil
}

// reserve is what has to stay free for compacting beyond reserved bytes, half of which it may use.
func (s *indexSpace) reserve(reserved int64) (int64, error) {
	needs, err := s.compactBytes()
	return max(0, needs-reserved/2), err
}

// inlineLimit is how long the frame of a body may be to be kept in the index.
func (e *Engine) inlineLimit() (int, error) {
	needs, err := e.indexSpace.compactBytes()
	if err != nil {
		return 0, err
	}
	if needs <= indexShare*indexDead {
		return maxInlineFrame, nil // whatever is free
	}
	free, err := e.index.Free()
	if err != nil || needs > free/indexShare {
		return 0, err
	}
	return maxInlineFrame, nil
}

// compactIndex gives back what is dead in the index, and returns how many bytes that were. Without
// the space that takes it is left for later.
func (e *Engine) compactIndex(ctx context.Context) (freed int64, err error) {
	before, err := e.index.Usage(ctx)
	if err != nil || before.DeadBytes < indexDead {
		return 0, err
	}
	if err := e.index.Compact(ctx); err != nil {
		if errors.Is(err, index.ErrNoSpace) {
			err = nil
		}
		return 0, err
	}
	after, err := e.index.Usage(ctx)
	return before.DiskBytes - after.DiskBytes, err
}
