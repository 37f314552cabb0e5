package lease

import "sync"

// An Epoch says what was condemned and discarded: all that was up to its number.
type Epoch uint64

// Begin says what a call begins in: what the node has seen. The caller owes an End.
func (n *Node) Begin() Epoch {
	if n == nil {
		return 0
	}
	return n.uses.begin()
}

// Keep counts one more who has begun in an epoch, such as an Object that is left open by a call.
// Who began in it before must not have ended yet. The caller owes an End.
func (n *Node) Keep(e Epoch) {
	if n != nil {
		n.uses.add(e, 1)
	}
}

// End undoes one Begin or Keep.
func (n *Node) End(e Epoch) {
	if n != nil {
		n.uses.add(e, -1)
	}
}

// uses are the epochs that calls and open Objects began in.
type uses struct {
	mu    sync.Mutex // guards the fields below
	seen  Epoch
	count map[Epoch]int // of those who began in an epoch; never 0
}

func (u *uses) begin() Epoch {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.addLocked(u.seen, 1)
	return u.seen
}

func (u *uses) add(e Epoch, n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.addLocked(e, n)
}

func (u *uses) addLocked(e Epoch, n int) {
	if u.count == nil {
		u.count = map[Epoch]int{}
	}
	if u.count[e] += n; u.count[e] == 0 {
		delete(u.count, e)
	}
}

// oldest is the least of the epochs in use, and what is seen if there is none. It never gets less.
func (u *uses) oldest() Epoch {
	u.mu.Lock()
	defer u.mu.Unlock()
	oldest := u.seen
	for e := range u.count {
		oldest = min(oldest, e)
	}
	return oldest
}

// last is what is seen.
func (u *uses) last() Epoch {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.seen
}

// see notes what the node has seen.
func (u *uses) see(e Epoch) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.seen = max(u.seen, e)
}
