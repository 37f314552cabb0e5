package soak

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

// open is a time that has not come yet.
const open = math.MaxInt64

// held is a content as it lies in the store. The zero value is nothing.
type held struct {
	Content
	Encrypted bool
	origin    uint64 // the write that encrypted it, if any did: its duplicates are not found
}

// A version is what one write gives a key: a content, or absence.
type version struct {
	id      uint64 // 0: absence
	what    held
	start   int64 // tick before which it did not take effect
	latest  int64 // tick after which it does not take effect any more, if it has not yet
	certain bool  // it has taken effect, by latest
}

// A Model knows what every key may hold. It is safe for use by many goroutines.
type Model struct {
	ticks atomic.Int64
	ids   atomic.Uint64
	keys  []modelKey

	mu    sync.Mutex // guards the fields below
	looks map[*Look]bool
}

type modelKey struct {
	mu sync.Mutex // guards versions

	// Those that a read under way or a later one may see, in the order of their starts.
	versions []*version
}

// NewModel makes a model of n keys, all of them absent.
func NewModel(n int) *Model {
	m := &Model{keys: make([]modelKey, n), looks: map[*Look]bool{}}
	for i := range m.keys {
		m.keys[i].versions = []*version{{certain: true}}
	}
	return m
}

// NewID returns the id of a further write.
func (m *Model) NewID() uint64 { return m.ids.Add(1) }

// Live returns what keys must hold, duplicates once, without writes that have not ended.
func (m *Model) Live() map[held]bool {
	live := map[held]bool{}
	for i := range m.keys {
		k := &m.keys[i]
		k.mu.Lock()
		now := m.ticks.Add(1)
		for _, v := range k.versions {
			if ended := v.latest < open || v.certain; ended && !k.replaced(v, now) {
				live[v.what] = true
			}
		}
		k.mu.Unlock()
	}
	return live
}

// A Write is one call that changes a key, under way.
type Write struct {
	model *Model
	key   int
	*version
}

// Put begins a write, just before the call that may take effect. id is a NewID.
func (m *Model) Put(key int, id uint64, what held) *Write {
	return m.write(key, &version{id: id, what: what})
}

// Delete begins a deletion.
func (m *Model) Delete(key int) *Write { return m.write(key, &version{}) }

func (m *Model) write(key int, v *version) *Write {
	k := &m.keys[key]
	k.mu.Lock()
	defer k.mu.Unlock()
	v.start, v.latest = m.ticks.Add(1), open
	k.versions = append(k.versions, v)
	return &Write{model: m, key: key, version: v}
}

// An Outcome is what is known of a write when its call has returned.
type Outcome int

const (
	Done    Outcome = iota // it took effect
	Unknown                // it took effect, or never will
	Refused                // it did not take effect, and never will
)

// End ends a write, after its call has returned. Refused fails when a read has seen it.
func (w *Write) End(o Outcome) error {
	k := &w.model.keys[w.key]
	k.mu.Lock()
	defer k.mu.Unlock()
	w.latest = min(w.latest, w.model.ticks.Add(1))
	switch {
	case o == Done:
		w.certain = true
	case o == Refused && w.certain && w.id != 0:
		return wrongf("write %d was refused, but a read has seen it", w.id)
	case o == Refused:
		k.drop(func(v *version) bool { return v == w.version })
	}
	w.model.prune(k)
	return nil
}

// drop forgets versions.
func (k *modelKey) drop(gone func(*version) bool) {
	k.versions = slices.DeleteFunc(k.versions, gone)
}

// replaced tells whether every read that began at tick or later must not see v.
func (k *modelKey) replaced(v *version, tick int64) bool {
	return slices.ContainsFunc(k.versions, func(w *version) bool {
		return w != v && w.certain && w.latest < tick && w.start > v.latest
	})
}

// prune forgets what no look under way or to come may see.
func (m *Model) prune(k *modelKey) {
	m.mu.Lock()
	since := m.ticks.Add(1)
	for l := range m.looks {
		since = min(since, l.start)
	}
	m.mu.Unlock()
	var kept []*version // to be judged by all that there were
	for _, v := range k.versions {
		if !k.replaced(v, since) {
			kept = append(kept, v)
		}
	}
	k.versions = kept
}

// A Look is one call that sees keys, under way: a read, or a listing. Until it is ended, nothing is
// forgotten that it may see.
type Look struct {
	model *Model
	start int64
}

// Look begins a look, just before its call.
func (m *Model) Look() *Look {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := &Look{m, m.ticks.Add(1)}
	m.looks[l] = true
	return l
}

// End ends the look. It may be called again.
func (l *Look) End() {
	l.model.mu.Lock()
	defer l.model.mu.Unlock()
	delete(l.model.looks, l)
}

// Saw takes over that the call, which has returned, saw the write id under the key, 0 for no
// object. It fails when that cannot be.
func (l *Look) Saw(key int, id uint64) (held, error) {
	k := &l.model.keys[key]
	k.mu.Lock()
	defer k.mu.Unlock()
	var seen []*version // what it may have been: several only of deletions
	for _, v := range k.versions {
		if v.id == id && !k.replaced(v, l.start) {
			seen = append(seen, v)
		}
	}
	if len(seen) == 0 {
		return held{}, wrongf("key %d is %v; since the call began it was%v",
			key, &version{id: id}, k.versions)
	}
	if len(seen) == 1 {
		seen[0].certain, seen[0].latest = true, min(seen[0].latest, l.model.ticks.Add(1))
	}
	latest := int64(0)
	for _, v := range seen {
		latest = max(latest, v.latest)
	}
	// What ended before the look began, and began after that, cannot have taken effect.
	k.drop(func(v *version) bool { return !v.certain && v.latest < l.start && v.start > latest })
	l.model.prune(k)
	return seen[0].what, nil
}

// String names a version in messages.
func (v *version) String() string {
	if v.id == 0 {
		return "absent"
	}
	return fmt.Sprintf("write %d of %d bytes", v.id, v.what.Size)
}
