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
	damaged func(blob.Ref) bool // a place is known to be bad

	mu        sync.Mutex // guards everything below, and every pin
	byID      map[blob.ID]*pin
	condemned map[uint64]bool   // volumes about to be removed or trimmed, and those that were removed
	trims     uint64            // volumes trimmed so far
	trimmed   map[uint64]uint64 // the last trim of each volume that is there
}

type pin struct {
	users   int
	settled bool          // found says where the chunk is
	done    bool          // found or err is set
	ready   chan struct{} // closed when done; nil while nobody waits for that
	found   foundChunk
	err     error
}

// foundChunk says where a pinned chunk is.
type foundChunk struct {
	ref     blob.Ref
	durable bool // the index knew it; otherwise its volume must be synced before it is named
}

func newPins(damaged func(blob.Ref) bool) *pins {
	return &pins{
		damaged: damaged, byID: make(map[blob.ID]*pin), condemned: make(map[uint64]bool),
		trimmed: make(map[uint64]uint64),
	}
}

// hold pins the chunk with this address and says where it is. Of those who ask at the same time
// one looks it up or stores it; the others wait and share the result, so a chunk that many parts
// carry at once is stored once. lookUp returns ok false if the chunk is not known; then store
// stores it. When hold succeeds the caller owes a release.
//
// A pinned chunk whose place turns out to be bad is looked for again by the next who asks. Those
// who had pinned it before are told when they come to name it; see ledger.PutPage.
func (p *pins) hold(
	ctx context.Context, id blob.ID, lookUp func() (found foundChunk, ok bool, err error),
	store func() (blob.Ref, error),
) (foundChunk, error) {
	for {
		held, ready, first := p.enter(id)
		if first {
			found, err := p.find(held, lookUp, store)
			return found, p.finish(id, held, err)
		}
		if ready != nil {
			select {
			case <-ready:
			case <-ctx.Done():
				p.leave(id, held)
				return foundChunk{}, context.Cause(ctx)
			}
		}
		if found, ok := p.outcome(held); ok {
			return found, nil
		}
		// The other's failure, a cancelled context perhaps, is not ours: try for ourselves.
		p.leave(id, held)
	}
}

// outcome returns what was found for a pin, unless that has failed or turned out to be bad.
func (p *pins) outcome(held *pin) (found foundChunk, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return held.found, held.done && held.err == nil && !p.damaged(held.found.ref)
}

// find settles a pin. What lies in a condemned volume does not count: it may be gone before the
// part names it.
func (p *pins) find(
	held *pin, lookUp func() (foundChunk, bool, error), store func() (blob.Ref, error),
) (foundChunk, error) {
	since := p.moment()
	found, ok, err := lookUp()
	if err != nil || ok && p.settle(held, found, since) {
		return found, err
	}
	// The frame is made in place of the chunk, so it must not be made twice; store takes care.
	for {
		since = p.moment()
		ref, err := store()
		found = foundChunk{ref: ref}
		if err != nil || p.settle(held, found, since) {
			return found, err
		}
	}
}

// moment is what a chunk's place must be newer than: see settle.
func (p *pins) moment() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.trims
}

// settle records where a pinned chunk is, unless its volume is condemned, or was trimmed after
// since, when the chunk was not yet pinned and may have been dead: then its place may be a hole.
func (p *pins) settle(held *pin, found foundChunk, since uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if v := found.ref.Volume; p.condemned[v] || p.trimmed[v] > since {
		return false
	}
	held.found, held.settled = found, true
	return true
}

// enter returns the pin of id with the caller counted, and whether it is for the caller to look for
// the chunk. Others have to wait for ready before they look at what was found, unless it is nil.
func (p *pins) enter(id blob.ID) (held *pin, ready <-chan struct{}, first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	held = p.byID[id]
	switch {
	case held == nil:
		held = &pin{}
		p.byID[id] = held
		first = true
	case held.done && (held.err != nil || p.damaged(held.found.ref)):
		held.done, held.err, held.ready = false, nil, nil
		first = true
	case held.ready == nil && !held.done:
		held.ready = make(chan struct{})
	}
	held.users++
	return held, held.ready, first
}

// finish lets those go on who wait for a pin. It returns err; who has one has not got the pin.
func (p *pins) finish(id blob.ID, held *pin, err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	held.err, held.done = err, true
	if held.ready != nil {
		close(held.ready)
	}
	if err != nil {
		p.leaveLocked(id, held)
	}
	return err
}

func (p *pins) leave(id blob.ID, held *pin) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leaveLocked(id, held)
}

func (p *pins) leaveLocked(id blob.ID, held *pin) {
	if held.users--; held.users == 0 && p.byID[id] == held {
		delete(p.byID, id)
	}
}

// release undoes one successful hold.
func (p *pins) release(id blob.ID) {
	p.mu.Lock()
	held := p.byID[id]
	p.mu.Unlock()
	if held != nil {
		p.leave(id, held)
	}
}

// condemn reserves a volume for removal or trimming: from now on no chunk in it can be pinned. It
// returns those that are; a volume with any may be trimmed around them, but must not be removed.
// The caller owes a spare or a spareTrimmed if the volume stays. One that is removed stays
// condemned, since somebody may have found or stored a chunk there before, and come to pin it only
// now.
func (p *pins) condemn(volume uint64) (pinned []blob.Ref) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, held := range p.byID {
		if held.settled && held.found.ref.Volume == volume {
			pinned = append(pinned, held.found.ref)
		}
	}
	p.condemned[volume] = true
	return pinned
}

// spare ends the condemnation of a volume to which nothing has happened.
func (p *pins) spare(volume uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.condemned, volume)
}

// spareTrimmed ends the condemnation of a volume that has holes where dead chunks lay, but only for
// those who look from now on.
func (p *pins) spareTrimmed(volume uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trims++
	p.trimmed[volume] = p.trims
	delete(p.condemned, volume)
}

// removed forgets a volume but for its condemnation.
func (p *pins) removed(volume uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.trimmed, volume)
}

// bytesIn returns the stored bytes of the pinned chunks in each volume that the index may not
// count yet.
func (p *pins) bytesIn() map[uint64]int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	bytes := make(map[uint64]int64)
	for _, held := range p.byID {
		if held.settled && !held.found.durable {
			bytes[held.found.ref.Volume] += int64(held.found.ref.Size)
		}
	}
	return bytes
}
