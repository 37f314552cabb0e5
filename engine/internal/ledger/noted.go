package ledger

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/gabion-storage/gabion/index"
)

// Where several processes share an index, none knows what the others use. So whoever sweeps notes
// what is in the trash, waits until all that could use any of it is over, in whatever process, and
// then sweeps what was noted, and no more.

// maxNoted is how much of what waits is noted at a time: 1 MiB of ids.
const maxNoted = 1 << 16

// NewSharedTrash returns the trash of an index that several processes share. Nothing is ever
// Pending there, and nobody woken, since what is free at one of them may be in use at another, and
// who sweeps is told of nothing. Note and SweepNoted take the places of Recover and Sweep.
func NewSharedTrash(idx index.Store, now func() time.Time) *Trash {
	t := NewTrash(idx, now, func() {})
	t.shared = true
	t.inUse.freed = func([16]byte) {}
	return t
}

// Noted is what was in the trash, and what was provisional, at some moment.
type Noted struct {
	tail    uint64 // of the queue
	waiting [][16]byte
	some    bool
}

// Some says whether anything was there.
func (n *Noted) Some() bool { return n.some }

// Note notes what is in the trash now, and what is provisional, but for what was put aside. It is
// for who sweeps.
func (t *Trash) Note(ctx context.Context) (n Noted, err error) {
	t.popFreed() // it stands in the table of what waits
	err = t.index.View(ctx, func(r index.Reader) error {
		ends, err := index.TrashQueue().Ends(r)
		if err != nil {
			return err
		}
		n = Noted{tail: ends.Tail, some: ends.Head < ends.Tail}
		err = eachWaiting(r, func(id [16]byte) bool {
			if !t.isAside(id) {
				n.waiting = append(n.waiting, id)
			}
			return len(n.waiting) < maxNoted
		})
		n.some = n.some || len(n.waiting) > 0
		return err
	})
	return n, err
}

// SweepNoted sweeps what was noted, but for what was named since. Nobody may use any of it, nor
// name what was provisional then. It reads and writes through a store that refuses when it is for
// somebody else to sweep. Else it is as Sweep, and can be called again after an error.
func (t *Trash) SweepNoted(ctx context.Context, through index.Store, n Noted) (Swept, error) {
	s := &sweep{
		Trash: t, through: through, waiting: n.waiting, tail: n.tail,
		used:  func([16]byte) bool { return false },
		bytes: math.MaxInt64, progress: func(context.Context) {},
	}
	err := s.run(ctx)
	return s.done, err
}

func (t *Trash) isAside(id [16]byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Contains(t.aside, id)
}
