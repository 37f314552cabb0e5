package badger

import "time"

// takeSpare takes the space that Badger needs to go on to the next log, so that it is there when
// Badger does so: at a commit that nobody can foretell, since how much a memtable takes of its memory
// is a matter of chance. What others leave free, or a quota, changes until then. It is held while the log is nearly
// full, and given back in the moment when Badger hands the memtable over; what the others have to be
// quick for is what passes until the table is built. That is just behind the moment: Badger's goroutine
// that flushes may be quicker, in theory, and make the file of the table while the space is still held.
// Then it meets a disk that is full but for that.
//
// A table that is being written needs its blocks, too, so none may be, which settle waits for. The caller
// keeps commits away.
func (g *generation) takeSpare(settle func()) error {
	if g.spare.Load() != nil {
		return nil
	}
	settle()
	held, err := g.dir.HoldSpace(spareSpace)
	if held != nil {
		g.spare.Store(held)
	}
	return err
}

// returnSpare gives back what is held.
func (g *generation) returnSpare() {
	if held := g.spare.Swap(nil); held != nil {
		_ = held.Release() // it is closed, which gives the blocks back, too
	}
}

// settle waits until no memtable is on its way into a table. There is one at most, just after Badger
// has begun a log. The caller keeps commits away.
func (g *generation) settle() {
	for g.failure() == nil && g.tablesOfLevel0() < g.level0+g.wal.rotations {
		time.Sleep(time.Millisecond)
	}
}

func (g *generation) tablesOfLevel0() int { return g.db.Levels()[0].NumTables }

// settle waits for the database in charge, and for the one that a compaction writes to. The caller keeps
// commits away.
func (d *database) settle() {
	for _, g := range []*generation{d.generation(), d.building} {
		if g != nil {
			g.settle()
		}
	}
}

// ready makes room for the largest commit, of what is free.
func (g *generation) ready(settle func()) error {
	if g.wal.hasRoom() {
		return nil
	}
	if err := g.wal.allocate(); err != nil || g.wal.hasRoom() {
		return mapError("preallocate the log", err)
	}
	return mapError("hold spare space", g.takeSpare(settle))
}
