package index

import "context"

// groups serves the updates of a Backend: each runs as soon as it can be, once, into the group that
// is open. All that is done by one goroutine, which runs the functions of the updates, too: to hand
// each to another would cost more than it takes.
type groups struct {
	*Serial
	db      Backend
	writers uint64 // updates that ran
	open    *group // nil for none
}

// work serves updates until the queue is closed. When a function ends the goroutine, another goes on
// from there.
func (s *groups) work() {
	ended := true
	defer func() {
		if ended {
			go s.work()
			return
		}
		close(s.stopped)
	}()
	s.commit()
	for u := range s.queue {
		s.serve(u)
	}
	ended = false
}

// serve takes an update and whatever waits into one group and commits it. A group cannot go on for
// ever: the callers of its members wait for it.
func (s *groups) serve(u *update) {
	for ; u != nil; u = s.poll() {
		if u.claim() {
			s.run(u)
		}
	}
	s.commit()
}

// A group is what is committed together. Its members learn their outcome after the commit, the
// failed ones too: fn may have failed because of what an earlier member wrote.
type group struct {
	base    Snapshot
	changes *node
	size    size
	members []*update
}

// begin opens a group.
func (s *groups) begin() error {
	if err := s.Failure(); err != nil {
		return err
	}
	if err := s.db.Ready(); err != nil {
		return err
	}
	base, err := s.db.Snapshot(context.Background())
	if err == nil {
		s.open = &group{base: base}
	}
	return err
}

// run runs one update in the group that is open, or a new one.
func (s *groups) run(u *update) {
	if s.open == nil {
		if err := s.begin(); err != nil {
			u.done <- err
			return
		}
	}
	g := s.open
	s.writers++
	t := &tx{view: view{base: g.base, changes: g.changes}, writer: s.writers, total: g.size}
	u.err = t.run(u.fn, func() {
		u.err = &PanicError{}
		g.add(u, t)
	})
	if u.err == nil && !t.total.fits() {
		// The group cannot take it. It ran already, on exactly the state that is there after the
		// group is committed, so its changes alone begin the next group.
		s.commit()
		if err := s.begin(); err != nil {
			u.done <- err
			return
		}
		g = s.open
		t.changes, t.total = t.ownChanges(), t.own
	}
	g.add(u, t)
}

func (g *group) add(u *update, t *tx) {
	g.members = append(g.members, u)
	if u.err == nil {
		g.changes, g.size = t.changes, t.total
	}
}

// commit makes the group that is open durable, if one is, and tells its members.
func (s *groups) commit() {
	g := s.open
	if g == nil {
		return
	}
	s.open = nil
	var failed error
	if g.changes != nil {
		if err := s.db.Commit(g.changes.all); err != nil {
			failed = &CommitError{err}
			s.fail(failed)
		}
	}
	g.base.Release()
	for _, u := range g.members {
		if failed != nil {
			u.done <- failed
		} else {
			u.done <- u.err
		}
	}
}
