package engine_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/internal/disk"
)

// A closingIndex and closingBlobs have something to say when they are closed.
type closingIndex struct {
	*index.Memory
	errs   []error // of the first calls of Close
	closed int
}

func (s *closingIndex) Close() error {
	s.closed++
	if len(s.errs) == 0 {
		return s.Memory.Close()
	}
	err := s.errs[0]
	s.errs = s.errs[1:]
	if errors.Is(err, index.ErrStillOpen) {
		return err
	}
	return errors.Join(err, s.Memory.Close())
}

type closingBlobs struct {
	*blob.Memory
	err error
}

func (s *closingBlobs) Close() error { return errors.Join(s.err, s.Memory.Close()) }

// TestCloseFails has the stores fail when they are closed, in every way that their contracts allow.
// Each Close has released everything, or can be called again until it has.
func TestCloseFails(t *testing.T) {
	broken := errors.New("it broke")
	full := fmt.Errorf("%w: %w", index.ErrStillOpen, index.ErrNoSpace)
	deaf := fmt.Errorf("%w: %w", index.ErrStillOpen, broken)
	for name, c := range map[string]struct {
		blobs  error
		index  []error
		closes []error // what each call of Close returns
	}{
		"sound":                  {nil, nil, []error{nil, engine.ErrClosed}},
		"chunks":                 {broken, nil, []error{broken, engine.ErrClosed}},
		"index":                  {nil, []error{broken}, []error{broken, engine.ErrClosed}},
		"index, of space":        {nil, []error{index.ErrNoSpace}, []error{engine.ErrNoSpace, engine.ErrClosed}},
		"index open":             {nil, []error{full, deaf, full}, []error{engine.ErrNoSpace, broken, engine.ErrNoSpace, nil, engine.ErrClosed}},
		"index open, then fails": {nil, []error{deaf, broken}, []error{broken, broken, engine.ErrClosed}},
		"both":                   {broken, []error{full, broken}, []error{broken, broken, engine.ErrClosed}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			d, err := disk.OpenDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			idx := &closingIndex{Memory: index.NewMemory(), errs: c.index}
			e, err := engine.OpenStoresIn(t.Context(), dir, idx, &closingBlobs{blob.NewMemory(0), c.blobs}, nil)
			if err != nil {
				t.Fatal(err)
			}
			for n, want := range c.closes {
				if err := e.Close(); !errors.Is(err, want) {
					t.Errorf("Close %d: %v, want %v", n+1, err, want)
				}
				// The directory is locked for as long as something is open, and no longer.
				lock, err := d.Lock()
				if last := n >= len(c.closes)-2; last != (err == nil) {
					t.Errorf("after Close %d the directory's lock gives: %v", n+1, err)
				}
				if err == nil {
					if err := lock.Unlock(); err != nil {
						t.Fatal(err)
					}
				}
			}
			if want := len(c.closes) - 1; idx.closed != want {
				t.Errorf("the index was closed %d times, want %d", idx.closed, want)
			}
		})
	}
}
