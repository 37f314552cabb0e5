package blob_test

import (
	"context"
	"errors"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/blob/blobtest"
)

func TestMemory(t *testing.T) {
	blobtest.Run(t, func(*testing.T) blob.Store { return blob.NewMemory(blobtest.VolumeSize) })
}

// noHoles is a store that cannot trim, as the contract lets it.
type noHoles struct{ blob.Store }

func (noHoles) Trim(context.Context, uint64, []blob.Ref) (int64, error) {
	return 0, errors.ErrUnsupported
}

// TestSuiteWithoutTrim runs the suite on a store that cannot trim.
func TestSuiteWithoutTrim(t *testing.T) {
	blobtest.Run(t, func(*testing.T) blob.Store { return noHoles{blob.NewMemory(blobtest.VolumeSize)} })
}
