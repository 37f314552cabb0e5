package badger

import (
	"context"
	"fmt"
	"math"
	"runtime/debug"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/gabion-storage/gabion/index"
)

// growth is what came to a generation since it was built. Reads pass it: every table of it is
// looked into, and a scan steps over every deletion in its range. So it is bounded, relative to
// what it is worth to write all that lives anew.
type growth struct {
	base      int64 // bytes of the tables it was built with
	records   int64 // in them
	written   int64 // bytes since, of records, versions and deletions
	deletions int64 // since
	next      float64
}

const (
	// leastWritten is how much has to be written for a compaction, in bytes: some eight tables of
	// level zero.
	leastWritten = 64 << 20
	// leastDeletions is how many records have to be deleted for a compaction. A scan over so many
	// takes a few milliseconds.
	leastDeletions = 1 << 14
)

func (g *growth) count(c index.Change) {
	g.written += int64(cost(c))
	if c.Removed {
		g.deletions++
	}
}

// cost is what a change counts for, here and against the limits of a transaction.
func cost(c index.Change) int { return len(c.Key) + len(c.Value) + index.RecordCost }

// dead is at most how much does not live.
func (g *growth) dead() int64 {
	dead := g.written
	if g.records > 0 {
		dead += g.base / g.records * g.deletions
	}
	return min(dead, g.base+g.written)
}

// due reports whether a compaction pays. Of written bytes the limit is the geometric mean of the
// base and of leastWritten: with a base of b such units, reads then look into 8 sqrt(b) tables at
// most, and each byte is written sqrt(b) times more.
func (g *growth) due() bool { return g.debt() >= max(1, g.next) }

// debt is what came, in parts of what makes a compaction due.
func (g *growth) debt() float64 {
	written := max(leastWritten, math.Sqrt(leastWritten*float64(g.base)))
	deletions := max(leastDeletions, float64(g.records)/4)
	return max(float64(g.written)/written, float64(g.deletions)/deletions)
}

// overdue is a debt of which an opening frees itself before it is done. It comes where sessions end
// before the compactions that they have begun, again and again.
const overdue = 4

// postpone is called when a compaction has failed: the next one is due when there is half as much
// again.
func (g *growth) postpone() { g.next = 1.5 * max(1, g.next, g.debt()) }

// survey takes the measures of the generation that was opened, and makes sure that no commit is
// missing in it: each has written at least one record, and none has been dropped since the
// generation was built. Nor has a record that was copied behind its tables.
func (d *database) survey() (err error) {
	g := d.inCharge
	defer g.guard(debug.SetPanicOnFault(true), &err)
	for _, t := range g.db.Tables() {
		if t.Level > 0 {
			d.growth.base += int64(t.OnDiskSize)
			d.growth.records += int64(t.KeyCount)
		}
	}
	made, err := g.readCopied()
	if err != nil {
		return err
	}
	seen, found := commitSet{}, int64(0)
	s := d.snapshot()
	defer s.Release()
	err = s.versions(made.from, func(item *badger.Item) error {
		if item.Version() > g.base {
			seen.add(item.Version())
		} else {
			found++
		}
		d.growth.count(index.Change{Key: item.Key(), Removed: item.IsDeletedOrExpired()})
		d.growth.written += item.ValueSize()
		return nil
	})
	if err != nil {
		return err
	}
	if found != made.records {
		return &index.CorruptionError{
			Where: g.dir.Path(),
			Reason: fmt.Sprintf(
				"of %d records up to commit %d there are %d: restore the directory from a copy",
				made.records, g.base, found,
			),
		}
	}
	return g.complete(seen, g.base, d.newest)
}

// complete fails when a commit is missing behind base, up to the last one.
func (g *generation) complete(seen commitSet, base, last uint64) error {
	for commit := base; commit < last; {
		if commit++; !seen.has(commit) {
			return &index.CorruptionError{
				Where: g.dir.Path(),
				Reason: fmt.Sprintf(
					"commit %d of %d is missing: restore the directory from a copy", commit, last,
				),
			}
		}
	}
	return nil
}

// A commitSet holds numbers of commits, by pages of a bit for each. So what it takes depends on how
// many there are, not on how great the numbers are that damaged files name.
type commitSet map[uint64]*[commitPage / 64]uint64

const commitPage = 1 << 14

func (s commitSet) add(commit uint64) {
	page := s[commit/commitPage]
	if page == nil {
		page = new([commitPage / 64]uint64)
		s[commit/commitPage] = page
	}
	page[commit%commitPage/64] |= 1 << (commit % 64)
}

func (s commitSet) has(commit uint64) bool {
	page := s[commit/commitPage]
	return page != nil && page[commit%commitPage/64]&(1<<(commit%64)) != 0
}

// compactIfDue begins a compaction in the background. The caller holds committing.
func (d *database) compactIfDue() {
	if d.growth.due() {
		d.background.start(d.compactDue)
	}
}

// compactDue compacts, unless somebody has called Compact meanwhile.
func (d *database) compactDue(ctx context.Context) {
	d.committing.Lock()
	due := d.growth.due()
	d.committing.Unlock()
	if !due {
		return
	}
	err := d.Compact(ctx)
	if err == nil || ctx.Err() != nil {
		return
	}
	d.committing.Lock()
	d.growth.postpone()
	d.committing.Unlock()
	if d.alarm != nil {
		d.alarm(fmt.Errorf("index: compact in the background: %w", err))
	}
}

// compactOverdue compacts what no session before has got to, if there is space for it. It leaves the
// steps of the opening that come behind half of the time that is left, and the rest to the background.
func (d *database) compactOverdue(ctx context.Context) {
	if d.growth.debt() < overdue || d.room(d.growth.base+d.growth.written+compactSpace, nil) != nil {
		return
	}
	half, cancel := untilHalf(ctx)
	defer cancel()
	d.compactDue(half)
	d.committing.Lock()
	defer d.committing.Unlock()
	d.compactIfDue()
}

// untilHalf ends ctx when half of what remains to its deadline has passed.
func untilHalf(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, deadline.Add(-time.Until(deadline)/2))
}
