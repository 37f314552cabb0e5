package ledger

import "sync"

// inUse counts who uses a content or a manifest right now: open Objects, and parts that are being
// written. What is in use is not swept: it waits until the last user has left it.
type inUse struct {
	// freed is called, without the lock, with what the sweeping waited for, and with what is
	// provisional, when the last user has left it.
	freed func(id [16]byte)

	mu    sync.Mutex // guards users
	users map[[16]byte]use
}

// A use is who uses one thing.
type use struct {
	users       int
	wanted      bool // to be swept
	provisional bool // it is garbage unless it is named
}

func (u *inUse) enter(id [16]byte) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.users == nil {
		u.users = make(map[[16]byte]use)
	}
	now := u.users[id]
	now.users++
	u.users[id] = now
}

func (u *inUse) leave(id [16]byte) {
	if u.last(id) {
		u.freed(id)
	}
}

// last counts one user less, and says whether it was the last one of what is to be freed.
func (u *inUse) last(id [16]byte) bool {
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

// provisional says that what is in use is so: freed will be called when it is not in use any more.
func (u *inUse) provisional(id [16]byte) { u.mark(id, func(now *use) { now.provisional = true }) }

// named takes back provisional, and no more than that: what was named may have been replaced
// already, and then the sweeping waits for it.
func (u *inUse) named(id [16]byte) { u.mark(id, func(now *use) { now.provisional = false }) }

func (u *inUse) mark(id [16]byte, change func(*use)) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	now, used := u.users[id]
	if used {
		change(&now)
		u.users[id] = now
	}
	return used
}

// count is how many contents and manifests are in use.
func (u *inUse) count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.users)
}
