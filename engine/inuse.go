package engine

import "sync"

// inUse counts who uses a content or a manifest right now: open Objects, and parts being
// published. What is in use is not swept: it waits until the last user has released it.
type inUse struct {
	// freed is called, without the lock, with what somebody waited for, and with what is
	// provisional.
	freed func(id [16]byte)

	mu    sync.Mutex // guards users
	users map[[16]byte]use
}

// A use is who uses one thing.
type use struct {
	users       int
	wanted      bool // the sweeper waits for it
	provisional bool // it is garbage unless it is spared
}

func (u *inUse) hold(id [16]byte) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.users == nil {
		u.users = make(map[[16]byte]use)
	}
	now := u.users[id]
	now.users++
	u.users[id] = now
}

func (u *inUse) release(id [16]byte) {
	if u.leave(id) {
		u.freed(id)
	}
}

// leave counts one user less, and says whether it was the last one of what is to be freed.
func (u *inUse) leave(id [16]byte) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := u.users[id]
	if now.users--; now.users > 0 {
		u.users[id] = now
		return false
	}
	delete(u.users, id)
	return now.wanted || now.provisional
}

// want says whether id is in use. If it is, freed will be called when it is not any more.
func (u *inUse) want(id [16]byte) bool { return u.mark(id, func(now *use) { now.wanted = true }) }

// provide makes what is in use provisional: freed will be called when it is not in use any more.
func (u *inUse) provide(id [16]byte) { u.mark(id, func(now *use) { now.provisional = true }) }

// spare takes back a provide, and no more than that: what was named may have been replaced already,
// and then the sweeper waits for it.
func (u *inUse) spare(id [16]byte) { u.mark(id, func(now *use) { now.provisional = false }) }

func (u *inUse) mark(id [16]byte, change func(*use)) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	now, held := u.users[id]
	if held {
		change(&now)
		u.users[id] = now
	}
	return held
}
