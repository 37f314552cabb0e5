package soak

import (
	"fmt"
	"math"
	"slices"
	"strings"
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

// Live returns how many bytes must be on disk, without those of writes that have not ended.
func (m *Model) Live() (bytes int64) {
	live := map[held]bool{}
	m.mu.Lock()
	for l := range m.looks {
		for _, what := range l.saw {
			live[what] = true
		}
	}
	m.mu.Unlock()
	for i := range m.keys {
		k := &m.keys[i]
		k.mu.Lock()
		now := m.ticks.Add(1)
		for _, v := range k.versions {
			if underWay := v.latest == open && !v.certain; underWay { // World knows of it
				continue
			}
			if !k.replaced(v, now) {
				live[v.what] = true
			}
		}
		k.mu.Unlock()
	}
	for what := range live {
		bytes += what.Stored(what.Size)
	}
	return bytes
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

// prune forgets what no read under way or to come may see.
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

// ruleOut forgets what cannot have taken effect, since a look saw what was there before it: writes
// that ended before the look began, and began after tick.
func (k *modelKey) ruleOut(l *Look, tick int64) {
	k.drop(func(v *version) bool { return !v.certain && v.latest < l.start && v.start > tick })
}

// A Look is one call that sees keys, under way: a read, or a listing. It is for use by one
// goroutine.
type Look struct {
	model *Model
	start int64
	saw   []held // is there until the look ends, whatever the keys hold; guarded by model.mu
}

// Look begins a look, just before its call. Until it is ended, or told to Keep, nothing is
// forgotten.
func (m *Model) Look() *Look {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := &Look{model: m, start: m.ticks.Add(1)}
	m.looks[l] = true
	return l
}

// End ends the look.
func (l *Look) End() {
	l.model.mu.Lock()
	defer l.model.mu.Unlock()
	delete(l.model.looks, l)
}

// Keep says that the look will see no more, but that what it saw stays open until its end. The
// model can forget again.
func (l *Look) Keep() {
	l.model.mu.Lock()
	defer l.model.mu.Unlock()
	l.start = open
}

// Saw takes over that the call, which has returned, saw the write id under the key. It fails when
// that cannot be.
func (l *Look) Saw(key int, id uint64) (held, error) {
	m, k := l.model, &l.model.keys[key]
	k.mu.Lock()
	defer k.mu.Unlock()
	i := slices.IndexFunc(k.versions, func(v *version) bool { return v.id == id && id != 0 })
	if i < 0 {
		return held{}, wrongf("key %d is write %d, which was replaced long before, or never made;"+
			" it may be%s", key, id, k.names())
	}
	v := k.versions[i]
	if k.replaced(v, l.start) {
		return held{}, wrongf("key %d is write %d, which another one replaced before", key, id)
	}
	m.mu.Lock()
	l.saw = append(l.saw, v.what)
	m.mu.Unlock()
	v.certain, v.latest = true, min(v.latest, m.ticks.Add(1))
	k.ruleOut(l, v.latest)
	m.prune(k)
	return v.what, nil
}

// SawNothing takes over that the call saw no object under the key. It fails when that cannot be.
func (l *Look) SawNothing(key int) error {
	k := &l.model.keys[key]
	k.mu.Lock()
	defer k.mu.Unlock()
	latest := int64(-1)
	for _, v := range k.versions {
		if v.id == 0 && !k.replaced(v, l.start) {
			latest = max(latest, v.latest)
		}
	}
	if latest < 0 {
		return wrongf("key %d is absent; it must be%s", key, k.names())
	}
	k.ruleOut(l, latest)
	return nil
}

// names tells what a key may be.
func (k *modelKey) names() string {
	var b strings.Builder
	for _, v := range k.versions {
		if v.id == 0 {
			b.WriteString(" absent;")
		} else {
			fmt.Fprintf(&b, " write %d, %d bytes;", v.id, v.what.Size)
		}
	}
	return b.String()
}
