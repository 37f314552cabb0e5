package engine

import (
	"context"
	"errors"
	"runtime"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/index"
)

// OpenStoresIn is OpenStores, but in a directory, which is locked and unlocked as Open does it.
func OpenStoresIn(ctx context.Context, dir string, idx index.Store, blobs blob.Store, o *Options) (*Engine, error) {
	d, err := openStoreDir(dir)
	if err != nil {
		return nil, err
	}
	e := &Engine{dir: d, opts: o.withDefaults(), index: idx, blobs: blobs}
	return e, e.start(ctx)
}

// Kept counts the entries of pages that an open Object keeps.
func (o *Object) Kept() (entries int) {
	s := o.source
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.directory != nil {
		entries += len(s.directory.Parts)
	}
	for _, p := range s.pages {
		if p != nil {
			entries += len(p.Page.Chunks)
		}
	}
	return entries
}

// WithoutHoles makes the chunk store one that cannot trim, as on a file system without holes: what
// is dead comes back by copying.
func WithoutHoles(e *Engine) {
	<-e.worker.turn
	defer e.worker.yield()
	e.blobs = noHoles{e.blobs}
}

// WithHoles undoes WithoutHoles.
func WithHoles(e *Engine) {
	<-e.worker.turn
	defer e.worker.yield()
	e.blobs = e.blobs.(noHoles).Store
}

// TakeTurn takes the turn, until it is yielded.
func TakeTurn(e *Engine) (yield func()) {
	<-e.worker.turn
	return e.worker.yield
}

// ReclaimInBackground does what the worker does when it is woken, and returns when that is done.
func ReclaimInBackground(ctx context.Context, e *Engine) error {
	<-e.worker.turn
	defer e.worker.yield()
	_, err := e.reclaim(ctx, backgroundDeadShare, false)
	return err
}

// AwaitClaim waits until a call waits for the turn. The background stands back for it.
func AwaitClaim(e *Engine) {
	for e.worker.claims.Load() == 0 {
		runtime.Gosched()
	}
}

// PlanAtMost has compactions list no more than so many chunks at a time.
func PlanAtMost(e *Engine, chunks int) {
	<-e.worker.turn
	defer e.worker.yield()
	e.planMost = chunks
}

// CopyBehind has copies by reference go at the pace of the sweeping when the trash has more than so
// many references, or there are more than so many manifests that were given up unnamed.
func CopyBehind(e *Engine, references, manifests int64) {
	e.trashMost = trashMost{references, manifests}
}

type noHoles struct{ blob.Store }

func (noHoles) Trim(context.Context, uint64, []blob.Ref) (int64, error) {
	return 0, errors.ErrUnsupported
}

// ParseFormat parses the content of a format file, and makes it again.
func ParseFormat(text string) (again string, err error) {
	f, err := parseFormat("FORMAT", text)
	if err != nil {
		return "", err
	}
	return f.line(), nil
}

// TakeProcessors has readers find no processor idle, until giveBack is called.
func TakeProcessors(e *Engine) (giveBack func()) {
	e.loads.most = 1
	e.loads.begin()
	return e.loads.end
}

// HeldAhead is how many bytes are held by chunks that were read ahead, or are being read.
func HeldAhead(e *Engine) int64 {
	e.ahead.mu.Lock()
	defer e.ahead.mu.Unlock()
	return e.ahead.held
}

// AwaitAhead waits until no chunk is being read.
func AwaitAhead(e *Engine) {
	for e.loads.under.Load() > 0 {
		runtime.Gosched()
	}
}

// Held is how many bytes an open Object has for the chunk that Read is in.
func (o *Object) Held() int { return cap(o.current.frame) + cap(o.current.plain) }
