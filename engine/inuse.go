package engine

import "sync"

// inUse counts who uses a content or a manifest right now: open Objects, and parts being
// published. What is in use is not swept, though it may stand in the trash queue.
type inUse struct {
	mu    sync.Mutex
	users map[[16]byte]int
}

func (u *inUse) hold(id [16]byte) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.users == nil {
		u.users = make(map[[16]byte]int)
	}
	u.users[id]++
}

func (u *inUse) release(id [16]byte) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.users[id]--; u.users[id] == 0 {
		delete(u.users, id)
	}
}

func (u *inUse) held(id [16]byte) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.users[id] > 0
}
