package intake

import (
	"context"
	"slices"
	"sync"

	"github.com/gabion-storage/gabion/blob"
)

// Pins are the chunks that unfinished parts count on: found in the index or stored by one of them.
// A volume with a pinned chunk is not removed. Pins are in memory only; a crash forgets them
// together with the parts that never got acknowledged.
//
// An Intake pins and unpins; who reclaims volumes has the exported methods. All may be called from
// many goroutines.
type Pins struct {
	damaged func(blob.Ref) bool // a place is known to be bad

	mu        sync.Mutex // guards everything below, and every pin
	byID      map[blob.ID]*pin
	condemned map[uint64]condemnation // volumes about to be removed or trimmed, and those in removed
	trims     uint64                  // volumes trimmed so far
	trimmed   map[uint64]uint64       // the last trim of each volume that is there
	before    *searches               // that began before those of now, and may still be under way
	now       *searches
}

// searches are those who look for a chunk, or store one, and have not placed it yet. What they have
// found may be in a volume that was removed meanwhile, so its condemnation stays till they are done. Who
// begins later finds nothing there: nothing lived in the volume when it was removed, which stays true,
// and its number is never given to another.
type searches struct {
	under   int      // way
	removed []uint64 // volumes that were removed while these were the ones of now
}

// A condemnation says what may still be pinned in a volume.
type condemnation int

const (
	reserved condemnation = iota + 1 // chunks already pinned may be pinned again, no others
	forGood                          // nothing may be pinned anew; present pins stay
)

type pin struct {
	users  int
	placed bool          // at says where the chunk is
	done   bool          // at or err is set
	ready  chan struct{} // closed when done; nil while nobody waits for that
	at     location
	err    error
	before []location // where it was while its sync failed: some users may count on that still
	search *searches  // those of now when the one who looks for it began
}

// places yields all places that users of the pin count on.
func (p *pin) places(yield func(location) bool) {
	for _, at := range p.before {
		if !yield(at) {
			return
		}
	}
	if p.placed {
		yield(p.at)
	}
}

// A location is where a pinned chunk is.
type location struct {
	ref     blob.Ref
	durable bool // the index knew it; otherwise its volume must be synced before it is named
}

// NewPins makes pins. damaged says whether a place is known to be bad.
func NewPins(damaged func(blob.Ref) bool) *Pins {
	return &Pins{
		damaged: damaged, byID: make(map[blob.ID]*pin),
		condemned: make(map[uint64]condemnation), trimmed: make(map[uint64]uint64),
		before: &searches{}, now: &searches{},
	}
}

// pin pins the chunk with this address and says where it is. Of those who ask at the same time
// one looks it up or stores it; the others wait and share the result, so a chunk that many parts
// carry at once is stored once. lookUp returns ok false if the chunk is not known; then store
// stores it. When pin succeeds the caller owes an unpin.
//
// A pinned chunk whose place turns out to be bad is looked for again by the next who asks, and so is
// one in a volume that was condemned for good. Those who had pinned it before are told when they
// come to name it: the ledger takes no reference to a place that is bad. So it is with one whose sync
// has failed, which nobody can name: while those go on who had pinned it before, others must not share
// their fate, and hand it on.
func (p *Pins) pin(
	ctx context.Context, id blob.ID, lookUp func() (location, bool, error),
	store func() (blob.Ref, error),
) (location, error) {
	for {
		pinned, ready, first := p.enter(id)
		if first {
			at, err := p.find(pinned, lookUp, store)
			return at, p.finish(id, pinned, err)
		}
		if ready != nil {
			select {
			case <-ready:
			case <-ctx.Done():
				p.leave(id, pinned)
				return location{}, context.Cause(ctx)
			}
		}
		if at, ok := p.outcome(pinned); ok {
			return at, nil
		}
		// The other's failure, a cancelled context perhaps, is not ours: try for ourselves.
		p.leave(id, pinned)
	}
}

// outcome returns what was found for a pin, unless that has failed or turned out to be bad.
func (p *Pins) outcome(pinned *pin) (at location, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return pinned.at, pinned.done && pinned.err == nil && !p.uselessLocked(pinned.at.ref)
}

// uselessLocked says whether who asks from now on must not count on a place, though others do.
func (p *Pins) uselessLocked(at blob.Ref) bool {
	return p.condemned[at.Volume] == forGood || p.damaged(at)
}

// find places a pin. What lies in a condemned volume does not count: it may be gone before the
// part names it.
func (p *Pins) find(
	pinned *pin, lookUp func() (location, bool, error), store func() (blob.Ref, error),
) (location, error) {
	since := p.moment()
	at, ok, err := lookUp()
	if err != nil || ok && p.place(pinned, at, since) {
		return at, err
	}
	// The frame is made in place of the chunk, so it must not be made twice; store takes care.
	for {
		since = p.moment()
		ref, err := store()
		at = location{ref: ref}
		if err != nil || p.place(pinned, at, since) {
			return at, err
		}
	}
}

// moment is what a chunk's place must be newer than: see place.
func (p *Pins) moment() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.trims
}

// place records where a pinned chunk is, unless its volume is condemned, or was trimmed after
// since, when the chunk was not yet pinned and may have been dead: then its place may be a hole.
func (p *Pins) place(pinned *pin, at location, since uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if v := at.ref.Volume; p.condemned[v] != 0 || p.trimmed[v] > since {
		return false
	}
	pinned.at, pinned.placed = at, true
	return true
}

// enter returns the pin of id with the caller counted, and whether it is for the caller to look for
// the chunk. Others have to wait for ready before they look at what was found, unless it is nil.
func (p *Pins) enter(id blob.ID) (pinned *pin, ready <-chan struct{}, first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pinned = p.byID[id]
	switch {
	case pinned == nil:
		pinned = &pin{}
		p.byID[id] = pinned
		first = true
	case pinned.done && (pinned.err != nil || p.uselessLocked(pinned.at.ref)):
		pinned.done, pinned.err, pinned.ready = false, nil, nil
		first = true
	case pinned.ready == nil && !pinned.done:
		pinned.ready = make(chan struct{})
	}
	pinned.users++
	if first {
		pinned.search = p.now
		p.now.under++
	}
	return pinned, pinned.ready, first
}

// finish lets those go on who wait for a pin. It returns err; who has one has not got the pin.
func (p *Pins) finish(id blob.ID, pinned *pin, err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	pinned.search.under--
	p.forgetLocked()
	pinned.err, pinned.done = err, true
	if pinned.ready != nil {
		close(pinned.ready)
	}
	if err != nil {
		p.leaveLocked(id, pinned)
	}
	return err
}

func (p *Pins) leave(id blob.ID, pinned *pin) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leaveLocked(id, pinned)
}

func (p *Pins) leaveLocked(id blob.ID, pinned *pin) {
	if pinned.users--; pinned.users == 0 && p.byID[id] == pinned {
		delete(p.byID, id)
	}
}

// forsake has nobody who asks from now on count on what was put into volumes whose sync has failed.
// What others count on there stays pinned, since of several volumes one may be sound.
func (p *Pins) forsake(volumes []uint64, failure error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, pin := range p.byID {
		if pin.done && pin.err == nil && !pin.at.durable && slices.Contains(volumes, pin.at.ref.Volume) {
			pin.before = append(pin.before, pin.at)
			pin.placed, pin.err = false, failure
		}
	}
}

// unpin undoes one successful pin.
func (p *Pins) unpin(id blob.ID) {
	p.mu.Lock()
	pinned := p.byID[id]
	p.mu.Unlock()
	if pinned != nil {
		p.leave(id, pinned)
	}
}

// Condemn reserves a volume for removal or trimming: from now on no chunk in it can be pinned. It
// returns those that are; a volume with any may be trimmed around them, but must not be removed.
// The caller owes a Spare, a SpareTrimmed or a Removed. One that is removed stays condemned for a
// while, since somebody may have found or stored a chunk there before, and come to pin it only now.
func (p *Pins) Condemn(volume uint64) (pinned []blob.Ref) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, pin := range p.byID {
		for at := range pin.places {
			if at.ref.Volume == volume {
				pinned = append(pinned, at.ref)
			}
		}
	}
	p.condemned[volume] = reserved
	return pinned
}

// CondemnForGood has nobody count on a volume from now on, also not on what is pinned in it: that
// is there until those who have it pinned now have unpinned it. Whoever calls it sees to that.
func (p *Pins) CondemnForGood(volume uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.condemned[volume] = forGood
}

// Spare ends the condemnation of a volume to which nothing has happened.
func (p *Pins) Spare(volume uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.condemned, volume)
}

// SpareTrimmed ends the condemnation of a volume that has holes where dead chunks lay, but only for
// those who look from now on.
func (p *Pins) SpareTrimmed(volume uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trims++
	p.trimmed[volume] = p.trims
	delete(p.condemned, volume)
}

// Removed forgets a volume that nothing names any more, and its condemnation as soon as nobody can have
// found anything in it.
func (p *Pins) Removed(volume uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.removedLocked(volume)
	p.forgetLocked()
}

func (p *Pins) removedLocked(volume uint64) {
	delete(p.trimmed, volume)
	p.now.removed = append(p.now.removed, volume)
}

// RemovedBut is Removed for all volumes that were condemned for good, but those that still are. These
// must have been read from the index before RemovedBut is called, and be all that are condemned there:
// what is not among them any more was removed, after all those had ended who may have had a chunk
// pinned in it.
func (p *Pins) RemovedBut(still []uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	stay := make(map[uint64]bool, len(still))
	for _, v := range still {
		stay[v] = true
	}
	for _, s := range []*searches{p.before, p.now} {
		for _, v := range s.removed {
			stay[v] = true // it is known
		}
	}
	for v, c := range p.condemned {
		if c == forGood && !stay[v] {
			p.removedLocked(v)
		}
	}
	p.forgetLocked()
}

// forgetLocked forgets the condemnations that nobody needs any more. What was removed while some
// searches were the ones of now matters to them and to those before, which were over when they became
// the ones before.
func (p *Pins) forgetLocked() {
	for p.before.under == 0 && len(p.before.removed)+len(p.now.removed) > 0 {
		for _, v := range p.before.removed {
			delete(p.condemned, v)
		}
		p.before, p.now = p.now, &searches{}
	}
}

// BytesIn returns the stored bytes of the pinned chunks in each volume that the index may not
// count yet.
func (p *Pins) BytesIn() map[uint64]int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	bytes := make(map[uint64]int64)
	for _, pin := range p.byID {
		for at := range pin.places {
			if !at.durable {
				bytes[at.ref.Volume] += int64(at.ref.Size)
			}
		}
	}
	return bytes
}

// CountIn returns how many chunks are pinned in each volume.
func (p *Pins) CountIn() map[uint64]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	count := make(map[uint64]int)
	for _, pin := range p.byID {
		for at := range pin.places {
			count[at.ref.Volume]++
		}
	}
	return count
}

// Condemned returns how many volumes are condemned. While no body is under way those are that are there.
func (p *Pins) Condemned() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.condemned)
}

// Count returns how many chunks are pinned. While no body is under way, none is.
func (p *Pins) Count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.byID)
}
