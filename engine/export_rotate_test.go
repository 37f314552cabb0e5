package engine

import (
	"context"
	"testing"

	"github.com/gabion-storage/gabion/index"
)

// CountWrappedElsewhere counts the objects of "bucket" whose data key is not wrapped under this
// key.
func CountWrappedElsewhere(t *testing.T, e *Engine, keyID string) (n int64) {
	t.Helper()
	err := e.index.View(context.Background(), func(r index.Reader) error {
		for entry, err := range index.Scan(r, index.ObjectsOf("bucket")) {
			if err != nil {
				return err
			}
			if entry.Record.Encryption.Wrapper != keyID {
				n++
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
