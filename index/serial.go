package index

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/gabion-storage/gabion/internal/gate"
)

// Records is where the records of a store are. Close is called by one goroutine, the rest by any,
// also side by side.
type Records interface {
	// Snapshot returns the state after the last commit that succeeded. It does not wait for one in
	// flight. ctx is that of the View, and lasts until Release.
	Snapshot(ctx context.Context) (Snapshot, error)

	// Fault is what has gone wrong beside the commits, and lets no more of them in. It stays.
	Fault() error

	// Free, Usage and Compact are as those of Store. ctx of Compact ends when the store closes.
	Free() (int64, error)
	Usage(ctx context.Context) (Usage, error)
	Compact(ctx context.Context) error

	// Close releases everything, whatever it returns; but with ErrStillOpen it has released
	// nothing, and is called again. No call is under way, and no snapshot is held.
	Close() error
}

// A Getter is Records that can tell values in fewer steps than a Snapshot takes.
type Getter interface {
	// Get is as that of Store. The keys are valid, and there is one at least.
	Get(ctx context.Context, keys [][]byte) ([][]byte, error)
}

// A Backend is Records that nobody else writes to. Its methods are called by one goroutine at a
// time.
type Backend interface {
	Records

	// Ready refuses an update for a reason that goes away, such as a full disk.
	Ready() error

	// Commit stores changes as one: all durable, or an error, after which it is not called any
	// more. They come in ascending order of keys, each key once.
	Commit(changes iter.Seq[Change]) error
}

// A Snapshot is one committed state of Records. It may be read after later commits, until it is
// released.
type Snapshot interface {
	Reader
	Release()
}

// A Change is a record of a commit: it is put, or removed. Its slices never change, so they may be
// kept.
type Change struct {
	Key, Value []byte
	Removed    bool
}

// Serial makes a Store of a Backend, or of a Turner. It has all that does not depend on where
// the records are: it queues updates, runs them one after another on a goroutine of its own, in
// transactions that see what those before have written, holds them to the limits, and commits them
// in groups.
type Serial struct {
	db      Records
	queue   chan *update
	stopped chan struct{} // closed when the goroutine has ended

	gate   gate.Gate
	ending chan struct{} // closed when the gate is shut

	mu     sync.Mutex // guards broken
	broken error      // a *CommitError: what every later update gets

	closing sync.Mutex // guards gone, and is held during Close
	gone    bool       // the backend is closed
}

var _ Store = (*Serial)(nil)

// queueSize is how many updates wait without their callers having to be woken up to hand them over.
const queueSize = 256

// NewSerial returns the Store of a Backend, which is its own from now on.
func NewSerial(db Backend) *Serial {
	s := newSerial(db)
	go (&groups{Serial: s, db: db}).work()
	return s
}

func newSerial(db Records) *Serial {
	return &Serial{
		db: db, queue: make(chan *update, queueSize), stopped: make(chan struct{}),
		ending: make(chan struct{}),
	}
}

// View implements Store.
func (s *Serial) View(ctx context.Context, fn func(Reader) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.gate.Leave()
	base, err := s.db.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer base.Release()
	v := &view{base: base}
	defer v.over.Store(true)
	return fn(v)
}

// Get implements Store.
func (s *Serial) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	getter, ok := s.db.(Getter)
	if !ok {
		return GetByView(ctx, s.View, keys)
	}
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.gate.Leave()
	for _, key := range keys {
		if err := checkKey(key); err != nil {
			return nil, err
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	return getter.Get(ctx, keys)
}

// Update implements Store.
func (s *Serial) Update(ctx context.Context, fn func(Tx) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.gate.Leave()
	u := &update{ctx: ctx, fn: fn, done: make(chan error, 1)}
	select {
	case s.queue <- u:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-u.done:
		return err
	case <-ctx.Done():
		if u.claim() { // it has not started, and now it never will
			return ctx.Err()
		}
		return <-u.done
	}
}

// Free implements Store.
func (s *Serial) Free() (int64, error) {
	if err := s.enter(context.Background()); err != nil {
		return 0, err
	}
	defer s.gate.Leave()
	return s.db.Free()
}

// Usage implements Store.
func (s *Serial) Usage(ctx context.Context) (Usage, error) {
	if err := s.enter(ctx); err != nil {
		return Usage{}, err
	}
	defer s.gate.Leave()
	return s.db.Usage(ctx)
}

// Compact implements Store.
func (s *Serial) Compact(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.gate.Leave()
	if err := s.Failure(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-s.ending:
			cancel(ErrClosed)
		case <-done:
		}
	}()
	return s.db.Compact(ctx)
}

// enter counts a call, so that Close waits for it; the caller must call s.gate.Leave when it is
// done.
func (s *Serial) enter(ctx context.Context) error { return s.gate.Enter(ctx, ErrClosed) }

// Close implements Store.
func (s *Serial) Close() error {
	s.closing.Lock()
	defer s.closing.Unlock()
	if s.gone {
		return ErrClosed
	}
	if s.gate.Shut() {
		close(s.ending)
		s.gate.Wait() // from here on nothing is sent to the queue
		close(s.queue)
		<-s.stopped
	}
	err := s.db.Close()
	if errors.Is(err, ErrStillOpen) {
		return err
	}
	s.gone = true
	if fault := s.db.Fault(); fault != nil {
		if err == nil {
			err = fault
		}
		return &CommitError{err}
	}
	return err
}

// poll returns an update that waits, or nil. Callers whose last update was just committed get a
// chance to queue their next one first: one commit for all of them is worth far more than the
// moment it takes.
func (s *Serial) poll() *update {
	if len(s.queue) == 0 {
		runtime.Gosched()
	}
	select {
	case u := <-s.queue:
		return u
	default:
		return nil
	}
}

// Failure implements Store.
func (s *Serial) Failure() error {
	fault := s.db.Fault()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken == nil && fault != nil {
		s.broken = &CommitError{fault}
	}
	return s.broken
}

func (s *Serial) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = err
}

// An update is one call of Update.
type update struct {
	ctx     context.Context // of the call; only to see whether it has ended
	fn      func(Tx) error
	claimed atomic.Bool
	done    chan error // gets one error
	err     error      // fn's
}

// claim decides between starting and giving up: it is true for the first caller only.
func (u *update) claim() bool { return u.claimed.CompareAndSwap(false, true) }
