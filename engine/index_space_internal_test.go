package engine

import (
	"context"
	"errors"
	"testing"

	"github.com/gabion-storage/gabion/index"
)

// aloofIndex is an index that cannot say what it uses while err is not nil.
type aloofIndex struct {
	index.Store
	err   error
	needs int64
}

func (i *aloofIndex) Usage(context.Context) (index.Usage, error) {
	if i.err != nil {
		return index.Usage{}, i.err
	}
	return index.Usage{CompactBytes: i.needs}, nil
}

// TestIndexSpaceAsksAgain has the index fail to say what compacting it takes, at first and later. The
// call that asked fails, and the next one asks again: none relies on nothing.
func TestIndexSpaceAsksAgain(t *testing.T) {
	failed := errors.New("the directory cannot be read")
	idx := &aloofIndex{needs: 1 << 30}
	s := &indexSpace{index: idx}
	for range 2 {
		idx.err = failed
		var err error
		for n := 0; err == nil && n < indexAsks; n++ {
			_, err = s.compactBytes()
		}
		if !errors.Is(err, failed) {
			t.Fatalf("the index was not asked: %v", err)
		}
		idx.err = nil
		for range 3 {
			if needs, err := s.compactBytes(); err != nil || needs != idx.needs {
				t.Errorf("compacting is said to take %d bytes, %v; it takes %d", needs, err, idx.needs)
			}
		}
	}
}
