package volumes_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/blob/volumes"
)

// A failingLog cannot be read.
type failingLog struct{ err error }

func (l failingLog) ReadAt([]byte, int64) (int, error) { return 0, l.err }

// TestWhatDamageIs tells failed reads that say something about the frame from those that do not.
func TestWhatDamageIs(t *testing.T) {
	for err, want := range map[error]bool{
		syscall.EIO:    true,
		syscall.ENOMEM: false,
		syscall.EAGAIN: false,
		fs.ErrClosed:   false,
		&os.PathError{Op: "read", Err: syscall.EMFILE}: false,
		fmt.Errorf("anything"):                         true,
	} {
		_, got := volumes.ReadFrame(failingLog{err}, blob.Ref{Volume: 7, Size: 10}, nil)
		var corrupt *blob.CorruptionError
		if is := errors.As(got, &corrupt); is != want || !errors.Is(got, err) {
			t.Errorf("reading fails with %v: damage is %t, wanted %t", got, is, want)
		}
	}
}
