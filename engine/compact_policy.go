package engine

import (
	"cmp"
	"maps"
	"slices"

	"github.com/gabion-storage/gabion/index"
)

// A policy says when giving space back is worth it, in shares of what a volume occupies.
type policy struct {
	trim float64 // that is dead, to punch holes, which costs a look at every chunk of the index
	copy float64 // that is dead after that, to copy what lives
	seal bool    // active volumes, too
	pays float64 // dead share of all live bytes, to look at every chunk of the index
}

// What is dead in all volumes may be deadShare of what lives and deadRoom more. Above that the
// background takes what there is, also out of active volumes.
const (
	deadShare = 0.35
	deadRoom  = 64 << 20
)

// policyFor returns the policy for volumes in these states.
func (c *compaction) policyFor(states []volumeState) policy {
	if c.seal {
		return policy{trim: 0.05, copy: c.share, seal: true}
	}
	var live, dead int64
	for i := range states {
		live += states[i].live.LiveBytes
		if states[i].Damage == nil { // what cannot be read gives nothing back
			dead += states[i].dead()
		}
	}
	if float64(dead) > deadShare*float64(live)+deadRoom {
		return policy{trim: 0.1, copy: c.share / 2, seal: true, pays: 0.05}
	}
	return policy{trim: c.share / 2, copy: c.share, pays: 0.05}
}

// A trimNote is what is known of a volume since it was to be trimmed last.
type trimNote struct {
	live   index.Volume // what lived in it
	pinned bool         // something was spared that unfinished parts counted on
	never  bool         // the store cannot trim it, however much dies in it
}

// noteTrim notes that trimming a volume would give nothing, as long as so much lives in it, or as it
// says, and says whether that is new. It is for who has the turn.
func (e *Engine) noteTrim(volume uint64, note trimNote) bool {
	if e.trims == nil {
		e.trims = make(map[uint64]trimNote)
	}
	last, known := e.trims[volume]
	e.trims[volume] = note
	return !known || last != note
}

// forgetUntrimmed has volumes that could not be trimmed be tried once more: what was in the way, as
// a second name of a file, may be gone.
func (e *Engine) forgetUntrimmed() {
	maps.DeleteFunc(e.trims, func(_ uint64, note trimNote) bool { return note.never })
}

// gives says how much a volume with enough dead in it may give back: by holes, what died in it since
// it was trimmed last, or by copying. What unfinished parts keep it from giving back, which it was
// trimmed around, it gives later.
func (c *compaction) gives(v *volumeState, p policy) (now, later int64) {
	note, noted := c.engine.trims[v.ID]
	held := c.held(v)
	copies := v.worth(p.copy) && !c.engine.damage.isStuck(v.ID, v.live.LiveBytes)
	spared := note.pinned && !note.never
	if !noted || (copies || spared) && !held {
		return v.dead(), 0
	}
	if !note.never && note.live != v.live {
		now = min(v.dead(), max(note.live.LiveBytes-v.live.LiveBytes, 1))
	}
	if held && (copies || spared) {
		later = v.dead() - now
	}
	return now, later
}

// held reports whether unfinished parts keep a volume from being copied and removed.
func (c *compaction) held(v *volumeState) bool { return v.pins > 0 && !c.whole }

// smallVolumes of less than smallShare of the volume size are merged, however alive they are: each
// time a store is opened and closed may leave some, and trimming leaves others.
const (
	smallVolumes = 16
	smallShare   = 0.125
)

// choose returns the volumes that are worth touching, what gives back most first, and whether all
// chunks of the index must be looked at for that. It notes whether some were left that are in use.
func (c *compaction) choose(states []volumeState) (chosen []candidate, plan bool) {
	e, p := c.engine, c.policyFor(states)
	if c.whole {
		p.trim = p.copy
	}
	var trims, small, outdated []candidate
	var live, dead, later int64
	trim := func(v candidate) {
		if !v.worth(p.trim) {
			return
		}
		now, held := c.gives(&v.volumeState, p)
		if now > 0 {
			trims = append(trims, v)
		}
		dead, later = dead+now, later+held
	}
	for _, v := range states {
		live += v.live.LiveBytes
		worth := v.worth(p.trim)
		empty := v.live.LiveChunks == 0 && v.pinned == 0
		switch {
		case empty && (!v.Active || v.Bytes > 0 && (c.seal || p.seal && worth)):
			chosen = append(chosen, candidate{volumeState: v, policy: p})
		case v.Damage != nil || v.Active && !(p.seal && worth):
		case c.seal && v.Outdated && !e.damage.isStuck(v.ID, v.live.LiveBytes):
			outdated = append(outdated, candidate{volumeState: v, policy: p, merge: true})
		case !v.Active && !e.damage.isStuck(v.ID, v.live.LiveBytes) &&
			float64(v.room()) < smallShare*float64(e.opts.VolumeSize):
			small = append(small, candidate{volumeState: v, policy: p, merge: true})
		default:
			trim(candidate{volumeState: v, policy: p})
		}
	}
	var merged []candidate
	merge, mergedLater := len(small) >= smallVolumes, false
	for _, v := range small {
		if merge && !c.held(&v.volumeState) {
			merged = append(merged, v)
			continue
		}
		mergedLater = mergedLater || merge
		v.merge = false
		trim(v)
	}
	if float64(dead) < p.pays*float64(live) {
		trims = nil
	}
	c.left = c.left || mergedLater || later > 0 && float64(dead+later) >= p.pays*float64(live)
	trims = append(append(trims, merged...), outdated...)
	slices.SortFunc(trims, func(a, b candidate) int { return cmp.Compare(b.dead(), a.dead()) })
	return append(chosen, trims...), len(trims) > 0
}
