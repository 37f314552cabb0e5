package index

import "context"

// groups serves the updates of a Backend: each runs as soon as it can be, once, into the group that
// is open.
type groups struct {
	*Serial
	db      Backend
	writers uint64 // updates that ran
}

// serve takes whatever waits into one group and commits it. A group cannot go on for ever: the
// callers of its members wait for it.
func (s *groups) serve(u *update) {
	var g *group
	for ; u != nil; u = s.poll() {
		if u.claim() {
			g = s.run(g, u)
		}
	}
	s.commit(g)
}

// A group is what is committed together. Its members learn their outcome after the commit, the
// failed ones too: fn may have failed because of what an earlier member wrote.
type group struct {
	base    Snapshot
	changes *node
	size    size
	members []*update
}

func (s *groups) begin() (*group, error) {
	if err := s.Failure(); err != nil {
		return nil, err
	}
	if err := s.db.Ready(); err != nil {
		return nil, err
	}
	base, err := s.db.Snapshot(context.Background())
	if err != nil {
		return nil, err
	}
	return &group{base: base}, nil
}

// run runs one update in a group, nil for a new one, and returns the group that is open afterwards,
// if any.
func (s *groups) run(g *group, u *update) *group {
	if g == nil {
		var err error
		if g, err = s.begin(); err != nil {
			u.done <- err
			return nil
		}
	}
	s.writers++
	t := &tx{view: view{base: g.base, changes: g.changes}, writer: s.writers, total: g.size}
	u.err = s.runner.call(u.fn, t)
	if u.err == nil && !t.total.fits() {
		// The group cannot take it. It ran already, on exactly the state that is there after the
		// group is committed, so its changes alone begin the next group.
		s.commit(g)
		var err error
		if g, err = s.begin(); err != nil {
			u.done <- err
			return nil
		}
		t.changes, t.total = t.ownChanges(), t.own
	}
	g.add(u, t)
	return g
}

func (g *group) add(u *update, t *tx) {
	g.members = append(g.members, u)
	if u.err == nil {
		g.changes, g.size = t.changes, t.total
	}
}

// commit makes a group durable, nil being none, and tells its members.
func (s *groups) commit(g *group) {
	if g == nil {
		return
	}
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
