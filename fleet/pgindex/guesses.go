package pgindex

import (
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/gabion-storage/gabion/index"
)

// wanted is what functions have asked for: records, and scans.
type wanted struct {
	keys  map[string]bool
	scans map[bounds]bool
}

func newWanted() wanted { return wanted{map[string]bool{}, map[bounds]bool{}} }

func (w *wanted) none() bool { return len(w.keys) == 0 && len(w.scans) == 0 }

// size is how many bytes of keys a statement sends for it.
func (w *wanted) size() (n int) {
	for key := range w.keys {
		n += len(key)
	}
	for at := range w.scans {
		n += len(at.start) + len(at.end)
	}
	return n
}

// list returns the keys as a statement takes them.
func (w *wanted) list() [][]byte {
	list := make([][]byte, 0, len(w.keys))
	for _, key := range slices.Sorted(maps.Keys(w.keys)) {
		list = append(list, []byte(key))
	}
	return list
}

// guesses are records as this node has last read or written them, which may be long ago. They serve
// to find out what functions will ask for.
type guesses struct {
	mu         sync.Mutex        // guards the fields below
	young, old map[string][]byte // nil is absent
	size       int               // of what is young
}

// Limits of what is remembered, in bytes: of one generation, and of one value.
const (
	guessBytes = 4 << 20
	guessValue = 16 << 10
	guessCost  = 64 // beside key and value
)

// learn remembers a record, nil being none. The value must not change any more.
func (g *guesses) learn(key string, value []byte) {
	if len(value) > guessValue {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.young == nil || g.size > guessBytes {
		g.old, g.young, g.size = g.young, map[string][]byte{}, 0
	}
	g.young[key] = value
	g.size += len(key) + len(value) + guessCost
}

func (g *guesses) get(key string) []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	if value, there := g.young[key]; there {
		return value
	}
	return g.old[key]
}

// A rehearsal is an index.Reader of guesses, in which there is no scan. It notes what it is asked.
type rehearsal struct {
	*guesses
	wanted
}

// Get implements index.Reader.
func (r *rehearsal) Get(key []byte) ([]byte, error) {
	r.keys[string(key)] = true
	return recordOf(r.guesses.get(string(key)))
}

// Scan implements index.Reader.
func (r *rehearsal) Scan(start, end []byte) iter.Seq2[index.Item, error] {
	return func(func(index.Item, error) bool) { r.scans[boundsOf(start, end)] = true }
}

// recordOf returns a copy for a function.
func recordOf(value []byte) ([]byte, error) {
	if value == nil {
		return nil, index.ErrNotFound
	}
	return append([]byte{}, value...), nil
}
