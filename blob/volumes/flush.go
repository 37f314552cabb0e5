package volumes

import (
	"context"
	"os"
	"sync"

	"github.com/gabion-storage/gabion/internal/disk"
)

// flushState makes one volume's appends durable for everybody who waits, with one flush at a time.
type flushState struct {
	disk *disk.Async
	file *os.File // that a flush makes durable; closed once the volume is sealed

	mu       sync.Mutex    // guards everything below; not held during a flush
	appended uint64        // batches written
	durable  uint64        // batches known to be on disk
	flushing chan struct{} // closed when the flush under way ends; nil when there is none
	failed   error         // sticky: after a failed fsync nothing is known about the pages
}

// close closes the file, which takes no more batches and is durable or has failed: so no flush
// begins any more. One that others wait for may still be under way, though, if a write has failed
// beside it.
func (f *flushState) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if wait := f.flushing; wait != nil {
		f.mu.Unlock()
		<-wait
		f.mu.Lock()
	}
	return f.file.Close()
}

// wrote notes that a batch has been written.
func (f *flushState) wrote() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.appended++
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
// may have passed their pages already.
func (f *flushState) sync(ctx context.Context) error {
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
		f.lead()
	}
	return f.failed
}

// lead runs one flush. It is entered and left with f.mu held.
func (f *flushState) lead() {
	upTo := f.begin()
	alone := upTo-f.durable == 1
	f.mu.Unlock()
	var err error
	if alone {
		err = disk.SyncData(f.file)
	} else {
		err = f.disk.SyncData(f.file)
	}
	f.mu.Lock()
	f.end(upTo, err)
}

// begin notes that a flush is under way, and returns which batches it will have made durable.
func (f *flushState) begin() (upTo uint64) {
	f.flushing = make(chan struct{})
	return f.appended
}

// end notes how the flush under way has ended.
func (f *flushState) end(upTo uint64, err error) {
	close(f.flushing)
	f.flushing = nil
	if err != nil {
		// The kernel reports a lost page once and then forgets it: a later fsync that succeeds
		// proves nothing, so the volume never leaves this state.
		f.failed = err
		return
	}
	f.durable = upTo
}
