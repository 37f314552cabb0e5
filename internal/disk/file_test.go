package disk_test

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/gabion-storage/gabion/internal/disk"
)

// TestWrapNoSpace wraps errors that are, say or do not say that the disk is full.
func TestWrapNoSpace(t *testing.T) {
	if err := disk.WrapNoSpace(nil); err != nil {
		t.Errorf("no error becomes %v", err)
	}
	for _, full := range disk.NoSpaceErrors {
		is := fmt.Errorf("write: %w", full)
		if err := disk.WrapNoSpace(is); err != is {
			t.Errorf("what matches becomes %v", err)
		}
		says := fmt.Errorf("%w: write: %v", fs.ErrClosed, full)
		err := disk.WrapNoSpace(says)
		if !disk.IsNoSpace(err) || !errors.Is(err, full) || !errors.Is(err, fs.ErrClosed) || err.Error() != says.Error() {
			t.Errorf("%v becomes %v", says, err)
		}
	}
	if err := disk.WrapNoSpace(fs.ErrExist); err != fs.ErrExist {
		t.Errorf("another error becomes %v", err)
	}
}
