package engine

import (
	"context"
	"sync"

	"github.com/gabion-storage/gabion/blob"
)

// pins are the chunks that unfinished parts count on: found in the index or stored by one of them.
// A volume with a pinned chunk is not removed. Pins are in memory only; a crash forgets them
// together with the parts that never got acknowledged.
type pins struct {
	mu   sync.Mutex // guards the map and every pin's users
	byID map[blob.ID]*pin
}

type pin struct {
	users int
	ready chan struct{} // closed when found and err are set
	found foundChunk
	err   error
}

// foundChunk says where a pinned chunk is.
type foundChunk struct {
	ref     blob.Ref
	durable bool // the index knew it; otherwise its volume must be synced before it is named
}

func newPins() *pins { return &pins{byID: make(map[blob.ID]*pin)} }

// hold pins the chunk with this address and says where it is. Of those who ask at the same time
// one calls find, which looks the chunk up or stores it; the others wait and share the result, so
// a chunk that many parts carry at once is stored once. When hold succeeds the caller owes a
// release.
func (p *pins) hold(ctx context.Context, id blob.ID, find func() (foundChunk, error)) (foundChunk, error) {
	for {
		held, first := p.enter(id)
		if first {
			held.found, held.err = find()
			if held.err != nil {
				p.drop(id, held)
			}
			close(held.ready)
			return held.found, held.err
		}
		select {
		case <-held.ready:
		case <-ctx.Done():
			p.release(id, held)
			return foundChunk{}, context.Cause(ctx)
		}
		if held.err == nil {
			return held.found, nil
		}
		// The other's failure, a cancelled context perhaps, is not ours: try for ourselves. Its
		// pin has left the map.
	}
}

// enter returns the pin of id with the caller counted, and whether the caller is its first user.
func (p *pins) enter(id blob.ID) (held *pin, first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	held = p.byID[id]
	if held == nil {
		held = &pin{ready: make(chan struct{})}
		p.byID[id] = held
		first = true
	}
	held.users++
	return held, first
}

// drop takes a pin whose chunk could not be found or stored out of the map.
func (p *pins) drop(id blob.ID, held *pin) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byID[id] == held {
		delete(p.byID, id)
	}
}

func (p *pins) release(id blob.ID, held *pin) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if held.users--; held.users == 0 && p.byID[id] == held {
		delete(p.byID, id)
	}
}

// releaseID undoes one successful hold.
func (p *pins) releaseID(id blob.ID) {
	p.mu.Lock()
	held := p.byID[id]
	p.mu.Unlock()
	if held != nil {
		p.release(id, held)
	}
}
