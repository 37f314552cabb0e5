package index

import (
	"errors"
	"iter"
	"slices"
)

// A Turner is Records that other processes write to, too. Processes take turns: only during its own
// turn does nothing change that it reads, and only updates that run in a turn count.
type Turner interface {
	Records

	// Turn runs the updates of a batch in a turn, makes what the last run has written durable, and
	// returns nil. With another error nothing is stored, and every update gets it; with a
	// *CommitError this is not known, and there is no further Turn. It is called by one goroutine
	// at a time.
	Turn(b *Batch) error
}

// NewShared returns the Store of a Turner, which is its own from now on.
func NewShared(db Turner) *Serial {
	s := newSerial(db)
	go (&turns{s, db}).work()
	return s
}

// turns serves the updates of a Turner.
type turns struct {
	*Serial
	db Turner
}

// work serves updates until the queue is closed.
func (s *turns) work() {
	defer close(s.stopped)
	for u := range s.queue {
		s.serve(u)
	}
}

// serve takes whatever waits into one batch, and has turns until all of it is done.
func (s *turns) serve(u *update) {
	b := &Batch{}
	for ; u != nil; u = s.poll() {
		if u.claim() {
			b.updates = append(b.updates, u)
		}
	}
	for len(b.updates) > 0 {
		b = s.turn(b)
	}
}

// turn returns the updates that did not fit.
func (s *turns) turn(b *Batch) *Batch {
	err := s.Failure()
	if err == nil {
		err = s.db.Turn(b)
	}
	if broken, ok := errors.AsType[*CommitError](err); ok {
		s.fail(broken)
		err = broken
	}
	return b.finish(err)
}

// A Batch is updates that are to be committed together. Its methods are for the goroutine that got
// it, until its Turn returns.
type Batch struct {
	updates []*update
	ran     int // of them, in the last run
}

// Run runs the updates on base one after another, each seeing what those before it have written, as
// if none had run before. It yields what they have written, as Backend.Commit gets it. Updates that
// do not fit any more are left for the next turn.
func (b *Batch) Run(base Reader) iter.Seq[Change] {
	var changes *node
	var total size
	b.ran = 0
	runner := newRunner()
	defer runner.close()
	for _, u := range b.updates {
		t := &tx{view: view{base: base, changes: changes}, writer: uint64(b.ran + 1), total: total}
		if u.err = runner.call(u.fn, t); u.err == nil {
			if !t.total.fits() {
				break
			}
			changes, total = t.changes, t.total
		}
		b.ran++
	}
	return changes.all
}

// Leave takes out the updates whose contexts have ended, and says whether any is left. It must be
// called before every Run but the first, and while nothing of the batch is stored.
func (b *Batch) Leave() (left bool) {
	b.updates = slices.DeleteFunc(b.updates, func(u *update) bool {
		err := u.ctx.Err()
		if err != nil {
			u.done <- err
		}
		return err != nil
	})
	b.ran = 0
	return len(b.updates) > 0
}

// finish tells the updates that ran their outcome, and all of them an error of the turn. It returns
// the others.
func (b *Batch) finish(err error) *Batch {
	if err != nil {
		b.ran = len(b.updates)
	}
	for _, u := range b.updates[:b.ran] {
		if err != nil {
			u.done <- err
		} else {
			u.done <- u.err
		}
	}
	return &Batch{updates: b.updates[b.ran:]}
}
