package engine

import (
	"sync"
	"time"
)

// A KeyClock stands in for the clocks and the timer by which an engine forgets data keys.
type KeyClock struct {
	mu      sync.Mutex // guards what follows
	now     moment
	pending []*keyTimer
}

// keyTimer is a timer that goes off when the test says so.
type keyTimer struct {
	clock *KeyClock
	fire  func()
}

// Stop implements timer.
func (k *keyTimer) Stop() bool {
	k.clock.mu.Lock()
	defer k.clock.mu.Unlock()
	for i, p := range k.clock.pending {
		if p == k {
			k.clock.pending = append(k.clock.pending[:i], k.clock.pending[i+1:]...)
			return true
		}
	}
	return false
}

// DriveKeys puts the engine's keys, of which it has none yet, under a clock of the test's.
func DriveKeys(e *Engine) *KeyClock {
	k := &KeyClock{now: moment{date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}}
	e.ciphers.mu.Lock()
	defer e.ciphers.mu.Unlock()
	e.ciphers.clock = func() moment {
		k.mu.Lock()
		defer k.mu.Unlock()
		return k.now
	}
	e.ciphers.after = func(_ time.Duration, fn func()) timer {
		k.mu.Lock()
		defer k.mu.Unlock()
		t := &keyTimer{k, fn}
		k.pending = append(k.pending, t)
		return t
	}
	return k
}

// Pass moves the monotonic clock and the date by as much as each.
func (k *KeyClock) Pass(monotonic, date time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.now.monotonic += monotonic
	k.now.date = k.now.date.Add(date)
}

// Ring has the timers that run go off, and says how many there were.
func (k *KeyClock) Ring() int {
	k.mu.Lock()
	pending := k.pending
	k.pending = nil
	k.mu.Unlock()
	for _, t := range pending {
		t.fire()
	}
	return len(pending)
}

// Timers counts the timers that run.
func (k *KeyClock) Timers() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.pending)
}

// KeptKeys counts the data keys in memory that are not in use.
func (e *Engine) KeptKeys() int {
	e.ciphers.mu.Lock()
	defer e.ciphers.mu.Unlock()
	return len(e.ciphers.known)
}
