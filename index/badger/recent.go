package badger

import (
	"bytes"
	"hash/maphash"
	"sync/atomic"

	"github.com/gabion-storage/gabion/index"
)

const (
	// recentSpots is how many values are kept, and recentSize how long one may be, in bytes: a
	// megabyte in all.
	recentSpots = 1 << 10
	recentSize  = 1 << 10
)

// recent keeps small values that are read again and again, as the records of buckets are and the
// counters that every update changes: to find one in Badger takes longer than all else of a small
// read. Each key has one spot, which it shares with others, and gets it when it is read twice with
// no other key of the spot in between.
//
// A spot says since which commit its value has been the key's. Every commit renews the spots of the
// keys that it changes, before snapshots show it. So a value is what a snapshot shows if it has been
// there since that commit or an earlier one; and a reader with an older snapshot finds the spot
// renewed, and leaves it alone. That holds for whatever the spot has: commits only count up in it.
type recent struct {
	seed  maphash.Seed
	spots []recentSpot
}

// A recentSpot is a spot. Nobody waits for it.
type recentSpot struct {
	last atomic.Uint32 // part of the hash of the key that was missed last
	has  atomic.Pointer[recentValue]
}

// A recentValue never changes.
type recentValue struct {
	since uint64 // the commit
	key   []byte // nil for no value
	value []byte
}

func newRecent() *recent {
	return &recent{maphash.MakeSeed(), make([]recentSpot, recentSpots)}
}

// spot returns the spot of a key, and what tells the key from most others of it.
func (r *recent) spot(key []byte) (spot *recentSpot, mark uint32) {
	hash := maphash.Bytes(r.seed, key)
	return &r.spots[hash%uint64(len(r.spots))], uint32(hash >> 32)
}

// get returns a copy of the value that a commit shows, if it is there, and what the spot has.
func (s *recentSpot) get(key []byte, at uint64) (value []byte, has *recentValue) {
	has = s.has.Load()
	if has == nil || has.since > at || !bytes.Equal(has.key, key) {
		return nil, has
	}
	return append(make([]byte, 0, len(has.value)), has.value...), has
}

// offer gives the spot a value that was read at a commit, after it had what get has returned.
func (s *recentSpot) offer(key, value []byte, mark uint32, at uint64, had *recentValue) {
	switch {
	case len(value) > recentSize || had != nil && had.since > at:
	case s.last.Load() != mark:
		s.last.Store(mark)
	default:
		s.has.CompareAndSwap(had, &recentValue{at, bytes.Clone(key), bytes.Clone(value)})
	}
}

// renew notes a change of a commit, which no snapshot shows yet.
func (r *recent) renew(c index.Change, at uint64) {
	spot, _ := r.spot(c.Key)
	now := &recentValue{since: at}
	had := spot.has.Load()
	switch {
	case had == nil:
	case !bytes.Equal(had.key, c.Key):
		now.key, now.value = had.key, had.value
	case !c.Removed && len(c.Value) <= recentSize:
		now.key, now.value = c.Key, c.Value
	}
	spot.has.Store(now)
}
