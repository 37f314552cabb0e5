package lease

import (
	"slices"
	"strings"
	"testing"
)

// The model: one chunk of one content, which some objects name; a node that uploads it again,
// deletes and reads it, and two that give space back, of which one has the turn; and an object
// store. A step is a transaction, a request to the object store, or what a node does by itself.
// Time is in none of them: a lease may be revoked, and the turn taken, at any moment, which is more
// than clocks could do.
const (
	volumes = 4 // numbers 1 to 4 are volumes, 0 is none
	epochs  = 2 // there are no more condemnations and discards
)

// rules are in force, but for those that a test takes out.
type rules struct {
	noCommitCheck bool // commits do not look for their lease
	noFindCheck   bool // chunks in condemned volumes are found as others
	noWait        bool // nobody waits until the epoch of a condemnation has passed
	newOldest     bool // a renewal writes the epoch that it reads
	planEarly     bool // what lives is listed when a volume is condemned
	spares        bool // a condemnation can be taken back
	reuses        bool // the number of a volume that was removed is given again
	noTurnCheck   bool // moves do not look for the turn
	noTermCheck   bool // moves look for who has the turn, not since when
	sweepEarly    bool // contents are swept without waiting
}

// client is the node that uploads and reads.
type client struct {
	Lease   bool
	Oldest  int8 // as its lease says
	Seen    int8
	Renewed int8 // what a renewal has read, before the node has seen it; -1: none is under way

	Upload int8 // 0: none, 1: has begun, 2: has its chunk in Place
	Began  int8
	Place  int8

	Reads      bool // it has the object open
	ReadsSince int8
}

// sweeper is a node that gives space back.
type sweeper struct {
	Step    int8 // 0: none, 1: waits to plan, 2: moves to Target, 3: removes Volume
	Volume  int8
	Target  int8
	Planned bool // the chunk lived in Volume when that was condemned
	Stale   bool // the term of the turn that Step began in is over
}

type state struct {
	Epoch     int8
	Record    int8 // the volume that the chunk's record points at; 0: there is no record
	Objects   int8 // that name the content
	Discarded int8 // the epoch that the content was discarded in; 0: it was not
	Exists    [volumes]bool
	Used      [volumes]bool
	Condemned [volumes]int8 // the epoch
	Turn      int8          // which sweeper has it

	Client   client
	Sweepers [2]sweeper
}

// initial has the chunk in volume 1, and an object that names it.
func initial() state {
	s := state{Record: 1, Objects: 1}
	s.Exists[1], s.Used[1] = true, true
	s.Client = client{Lease: true, Renewed: -1}
	return s
}

// lost says what is lost.
func (s *state) lost() string {
	switch {
	case s.Record > 0 && !s.Exists[s.Record]:
		return "the index names a chunk in a volume that is gone"
	case s.Objects > 0 && s.Record == 0:
		return "an object names a chunk that has no record"
	case s.Client.Lease && s.Client.Reads && s.Record == 0:
		return "what a reader has open was swept"
	}
	return ""
}

func (s *state) passed(epoch int8) bool {
	return !s.Client.Lease || s.Client.Oldest >= epoch
}

// store writes a volume.
func (s *state) store(r rules) (volume int8, ok bool) {
	for v := 1; v < volumes; v++ {
		if !s.Used[v] || r.reuses && !s.Exists[v] {
			s.Exists[v], s.Used[v], s.Condemned[v] = true, true, 0
			return int8(v), true
		}
	}
	return 0, false
}

func (s *state) condemn(i, v int8) bool {
	if s.Turn != i || v == 0 || s.Condemned[v] > 0 || s.Epoch == epochs || s.Sweepers[i].Step != 0 {
		return false
	}
	s.Epoch++
	s.Condemned[v] = s.Epoch
	s.Sweepers[i] = sweeper{Step: 1, Volume: v, Planned: s.Record == v}
	return true
}

// A step of a client, or a sweeper, is what may happen next. Its function reports false when it cannot.
type (
	clientStep struct {
		name string
		do   func(s *state, c *client, r rules) bool
	}
	sweeperStep struct {
		name string
		do   func(s *state, w *sweeper, i int8, r rules) bool
	}
)

var clientSteps = []clientStep{
	{"writes a renewal", func(s *state, c *client, r rules) bool {
		if !c.Lease || c.Renewed >= 0 {
			return false
		}
		c.Oldest, c.Renewed = c.Seen, s.Epoch
		if r.newOldest {
			c.Oldest = s.Epoch
		}
		if c.Upload > 0 {
			c.Oldest = min(c.Oldest, c.Began)
		}
		if c.Reads {
			c.Oldest = min(c.Oldest, c.ReadsSince)
		}
		return true
	}},
	{"has renewed", func(_ *state, c *client, _ rules) bool {
		if c.Renewed < 0 {
			return false
		}
		c.Seen, c.Renewed = c.Renewed, -1
		return true
	}},
	{"has its lease revoked", func(_ *state, c *client, _ rules) bool {
		revoked := c.Lease
		c.Lease = false
		return revoked
	}},
	{"joins anew", func(s *state, c *client, _ rules) bool {
		if c.Lease {
			return false
		}
		*c = client{Lease: true, Oldest: s.Epoch, Seen: s.Epoch, Renewed: -1} // its process is a new one
		return true
	}},
	{"begins an upload", func(_ *state, c *client, _ rules) bool {
		if c.Upload != 0 {
			return false
		}
		c.Upload, c.Began = 1, c.Seen
		return true
	}},
	{"finds the chunk, or stores it", func(s *state, c *client, r rules) (ok bool) {
		if c.Upload != 1 {
			return false
		}
		c.Upload = 2
		condemned := s.Condemned[s.Record]
		if s.Record > 0 && (condemned == 0 || condemned > c.Began || r.noFindCheck) {
			c.Place = s.Record
			return true
		}
		c.Place, ok = s.store(r)
		return ok
	}},
	{"commits", func(s *state, c *client, r rules) bool {
		if c.Upload != 2 || s.Objects > 1 || s.Discarded > 0 {
			return false
		}
		if c.Lease || r.noCommitCheck {
			if s.Record == 0 {
				s.Record = c.Place
			}
			s.Objects++
		}
		c.Upload, c.Began, c.Place = 0, 0, 0
		return true
	}},
	{"gives its upload up", func(_ *state, c *client, _ rules) bool {
		if c.Upload == 0 {
			return false
		}
		c.Upload, c.Began, c.Place = 0, 0, 0
		return true
	}},
	{"deletes the last object", func(s *state, c *client, _ rules) bool {
		if s.Objects != 1 || s.Epoch == epochs || !c.Lease {
			return false
		}
		s.Epoch++
		s.Objects, s.Discarded = 0, s.Epoch
		return true
	}},
	{"opens the object", func(s *state, c *client, _ rules) bool {
		if c.Reads || s.Objects == 0 {
			return false
		}
		c.Reads, c.ReadsSince = true, c.Seen
		return true
	}},
	{"closes the object", func(_ *state, c *client, _ rules) bool {
		open := c.Reads
		c.Reads, c.ReadsSince = false, 0
		return open
	}},
}

var sweeperSteps = []sweeperStep{
	{"takes the turn", func(s *state, _ *sweeper, i int8, _ rules) bool {
		if s.Turn == i {
			return false
		}
		if before := &s.Sweepers[s.Turn]; before.Step > 0 {
			before.Stale = true
		}
		s.Turn = i
		return true
	}},
	{"sweeps the content", func(s *state, _ *sweeper, i int8, r rules) bool {
		if s.Turn != i || s.Discarded == 0 || !s.passed(s.Discarded) && !r.sweepEarly {
			return false
		}
		s.Discarded, s.Record = 0, 0
		return true
	}},
	{"condemns the chunk's volume", func(s *state, _ *sweeper, i int8, _ rules) bool {
		return s.condemn(i, s.Record)
	}},
	{"condemns a volume in which nothing lives", func(s *state, _ *sweeper, i int8, _ rules) bool {
		for v := int8(1); v < volumes; v++ {
			if v != s.Record && s.Exists[v] && s.Condemned[v] == 0 {
				return s.condemn(i, v)
			}
		}
		return false
	}},
	{"takes a condemned volume up", func(s *state, w *sweeper, i int8, _ rules) bool {
		if s.Turn != i || w.Step != 0 {
			return false
		}
		for v := int8(1); v < volumes; v++ {
			if s.Exists[v] && s.Condemned[v] > 0 {
				*w = sweeper{Step: 1, Volume: v, Planned: s.Record == v}
				return true
			}
		}
		return false
	}},
	{"spares its volume", func(s *state, w *sweeper, i int8, r rules) bool {
		if !r.spares || s.Turn != i || w.Step != 1 {
			return false
		}
		s.Condemned[w.Volume] = 0
		*w = sweeper{}
		return true
	}},
	{"plans", func(s *state, w *sweeper, _ int8, r rules) (ok bool) {
		if w.Step != 1 || !r.noWait && !s.passed(s.Condemned[w.Volume]) {
			return false
		}
		if lives := s.Record == w.Volume; !lives && !r.planEarly || r.planEarly && !w.Planned {
			w.Step = 3
			return true
		}
		w.Step = 2
		w.Target, ok = s.store(r)
		return ok
	}},
	{"moves the chunk", func(s *state, w *sweeper, i int8, r rules) bool {
		if w.Step != 2 {
			return false
		}
		if over := w.Stale && !(r.noTermCheck && s.Turn == i); over && !r.noTurnCheck {
			*w = sweeper{}
			return true
		}
		if s.Record == w.Volume {
			s.Record = w.Target
		}
		w.Step, w.Target = 3, 0
		return true
	}},
	{"removes its volume", func(s *state, w *sweeper, _ int8, _ rules) bool {
		if w.Step != 3 {
			return false
		}
		s.Exists[w.Volume] = false
		*w = sweeper{}
		return true
	}},
	{"stops and starts again", func(_ *state, w *sweeper, _ int8, _ rules) bool {
		busy := w.Step > 0
		*w = sweeper{}
		return busy
	}},
}

// A move is a step, and who makes it: a sweeper, by its number, or the client.
type move struct{ who, step int8 }

const theClient = -1

func (m move) String() string {
	if m.who == theClient {
		return "the client " + clientSteps[m.step].name
	}
	return "sweeper " + string("AB"[m.who]) + " " + sweeperSteps[m.step].name
}

// after yields every state that a step leads to from s, and the step.
func after(s *state, r rules, yield func(*state, move)) {
	var next state
	for i := range clientSteps {
		if next = *s; clientSteps[i].do(&next, &next.Client, r) {
			yield(&next, move{theClient, int8(i)})
		}
	}
	for who := range int8(len(s.Sweepers)) {
		for i := range sweeperSteps {
			if next = *s; sweeperSteps[i].do(&next, &next.Sweepers[who], who, r) {
				yield(&next, move{who, int8(i)})
			}
		}
	}
}

// sort gives the sweepers, which can do the same, their numbers by what they are doing: what follows
// from a state follows from the one with the numbers exchanged, too. It says whether it has exchanged
// them.
func (s *state) sort() bool {
	a, b := s.Sweepers[0].order(), s.Sweepers[1].order()
	if a < b || a == b && s.Turn == 0 {
		return false
	}
	s.Sweepers[0], s.Sweepers[1] = s.Sweepers[1], s.Sweepers[0]
	s.Turn = 1 - s.Turn
	return true
}

// order is different for sweepers that are.
func (w sweeper) order() (n int) {
	n = (int(w.Step)*volumes+int(w.Volume))*volumes + int(w.Target)
	for _, b := range []bool{w.Planned, w.Stale} {
		if n *= 2; b {
			n++
		}
	}
	return n
}

// An origin is how a state came about.
type origin struct {
	from      int32 // the number of the state before
	move      move
	exchanged bool // the sweepers were, after the move
}

// explore goes through all states. It returns a shortest history that loses something, from the
// beginning, nil if none does, and how many states there are.
func explore(r rules) (history []string, found int) {
	states, origins := []state{initial()}, []origin{{}} // as they are found, so the nearest come first
	seen := map[state]struct{}{states[0]: {}}
	for at := 0; at < len(states) && history == nil; at++ {
		s := states[at]
		after(&s, r, func(to *state, m move) {
			exchanged := to.sort()
			if _, known := seen[*to]; known || history != nil {
				return
			}
			seen[*to] = struct{}{}
			states, origins = append(states, *to), append(origins, origin{int32(at), m, exchanged})
			if what := to.lost(); what != "" {
				history = tell(what, origins)
			}
		})
	}
	return history, len(states)
}

// tell is what has led to the newest state.
func tell(what string, origins []origin) (history []string) {
	var way []origin
	for at := int32(len(origins) - 1); at != 0; at = origins[at].from {
		way = append(way, origins[at])
	}
	swapped := int8(0)
	for _, o := range slices.Backward(way) {
		if o.move.who != theClient {
			o.move.who ^= swapped
		}
		if o.exchanged {
			swapped ^= 1
		}
		history = append(history, o.move.String())
	}
	return append(history, what)
}

// TestRules goes through the model with all rules in force.
func TestRules(t *testing.T) {
	history, states := explore(rules{})
	if history != nil {
		t.Fatalf("data is lost:\n%s", strings.Join(history, "\n"))
	}
	t.Logf("nothing is lost in %d states", states)
}

// TestEachRuleCounts takes one rule out at a time. Then there is a history that loses something.
func TestEachRuleCounts(t *testing.T) {
	for name, r := range map[string]rules{
		"commit": {noCommitCheck: true},
		"find":   {noFindCheck: true},
		"wait":   {noWait: true},
		"renew":  {newOldest: true},
		"plan":   {planEarly: true},
		"spare":  {spares: true},
		"number": {reuses: true},
		"turn":   {noTurnCheck: true},
		"term":   {noTermCheck: true},
		"sweep":  {sweepEarly: true},
	} {
		t.Run(name, func(t *testing.T) {
			history, states := explore(r)
			if history == nil {
				t.Fatalf("nothing is lost in %d states: the rule is not needed, or the model is too small", states)
			}
			t.Logf("after %d states:\n%s", states, strings.Join(history, "\n"))
		})
	}
}
