package blob

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/gabion-storage/gabion/internal/disk"
)

// flushState makes one volume's appends durable for everybody who waits, with one flush at a time.
type flushState struct {
	log, wal *os.File // handles of our own to the value log and the memtable's log

	mu       sync.Mutex    // guards everything below; not held during a flush
	appended uint64        // batches written
	durable  uint64        // batches known to be on disk
	flushing chan struct{} // closed when the flush under way ends; nil when there is none
	failed   error         // sticky: after a failed fsync nothing is known about the pages
}

// open finds the files of a volume just created.
func (f *flushState) open(dir string) (err error) {
	if f.log, err = openOnly(dir, "*.vlog"); err != nil {
		return err
	}
	f.wal, err = openOnly(dir, "*.mem")
	return err
}

func openOnly(dir, pattern string) (*os.File, error) {
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		return nil, err
	}
	if len(names) != 1 {
		return nil, fmt.Errorf("blob: %s holds %d files %s, wanted is one", dir, len(names), pattern)
	}
	return os.OpenFile(names[0], os.O_RDWR, 0)
}

func (f *flushState) close() error {
	var errs []error
	for _, file := range []*os.File{f.log, f.wal} {
		if file != nil {
			errs = append(errs, file.Close())
		}
	}
	f.log, f.wal = nil, nil
	return errors.Join(errs...)
}

// wrote notes that a batch has been written.
func (f *flushState) wrote() {
	f.mu.Lock()
	f.appended++
	f.mu.Unlock()
}

// fail marks the volume as one that must not be relied upon.
func (f *flushState) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed == nil {
		f.failed = err
	}
}

func (f *flushState) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

// sync returns when every batch noted before the call is durable. The first caller flushes for all
// who arrived by then; those who arrive during a flush wait for the next, since the one under way
// may have passed their pages already. prepare runs before each flush.
func (f *flushState) sync(ctx context.Context, prepare func() error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	target := f.appended
	for f.durable < target && f.failed == nil {
		if wait := f.flushing; wait != nil {
			f.mu.Unlock()
			select {
			case <-wait:
			case <-ctx.Done():
			}
			f.mu.Lock()
			if err := ctx.Err(); err != nil {
				return err
			}
			continue
		}
		f.lead(prepare)
	}
	return f.failed
}

// lead runs one flush. It is entered and left with f.mu held.
func (f *flushState) lead(prepare func() error) {
	upTo := f.appended
	done := make(chan struct{})
	f.flushing = done
	f.mu.Unlock()
	err := errors.Join(prepare(), f.flushFiles())
	f.mu.Lock()
	f.flushing = nil
	close(done)
	if err != nil {
		// The kernel reports a lost page once and then forgets it: a later fsync that succeeds
		// proves nothing, so the volume never leaves this state.
		f.failed = err
		return
	}
	f.durable = upTo
}

// flushFiles syncs the frames before the keys that point at them: whatever a power loss leaves of
// the keys then has its frames. The directory was synced when the files were made.
func (f *flushState) flushFiles() error {
	if err := disk.SyncData(f.log); err != nil {
		return err
	}
	return disk.SyncData(f.wal)
}
