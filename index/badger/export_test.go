package badger

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/y"

	"github.com/gabion-storage/gabion/internal/badgerfile"
	"github.com/gabion-storage/gabion/internal/disk"
)

// SetSpace makes the index believe in another free space.
func SetSpace(s *Store, spaceOf func() disk.Space) {
	s.db.spaceOf = func() (disk.Space, error) { return spaceOf(), nil }
}

// SetRecent has a store keep values in so many places. It comes before all calls.
func SetRecent(s *Store, spots int) { s.db.recent.spots = make([]recentSpot, spots) }

// Steps is how many records, versions and deletions the scans of a store have stepped over.
func Steps(s *Store) int64 { return s.db.steps.Load() }

// CommonPrefix is what the keys of a scan begin with.
var CommonPrefix = commonPrefix

// WaitCompacted waits for a compaction in the background.
func WaitCompacted(s *Store) { s.db.background.done.Wait() }

// WaitRetired waits until the databases that nobody holds any more are gone.
func WaitRetired(s *Store) { s.db.retiring.Wait() }

// CompactDirectly compacts with a context that the store has not wrapped.
func CompactDirectly(s *Store, ctx context.Context) error { return s.db.Compact(ctx) }

// WaitFlushed waits until Badger has a table in level zero, and has removed the logs of what is in
// tables: whoever copies the directory then finds nothing that vanishes meanwhile.
func WaitFlushed(s *Store) {
	g := s.db.generation()
	logs := func() int {
		names, _ := filepath.Glob(filepath.Join(g.dir.Path(), "*.mem"))
		return len(names)
	}
	for !slices.ContainsFunc(g.db.Tables(), func(t badger.TableInfo) bool { return t.Level == 0 }) || logs() > 1 {
		time.Sleep(time.Millisecond)
	}
}

// Logs returns the number of the log that is written.
func Logs(s *Store) (number int) {
	withLog(s, func(g *generation) { number = g.wal.number })
	return number
}

// LogUsed returns how much is taken to be used of the log that is written.
func LogUsed(s *Store) (used int) {
	withLog(s, func(g *generation) { used = g.wal.used })
	return used
}

// ParseCurrent parses the content of CURRENT, and makes it again.
func ParseCurrent(data []byte) (number int, again string, err error) {
	c, err := parseCurrent("CURRENT", data)
	return c.number, c.line(), err
}

// WalkLog walks a log up to its end.
func WalkLog(log []byte) (end, memory int64, harmless bool, err error) {
	w, err := walkLog(bufio.NewReader(bytes.NewReader(log)))
	return w.end, w.memory, w.harmless, err
}

// CheckTable verifies a table, of which it returns the number of blocks.
func CheckTable(data []byte) (blocks int, ok bool, err error) {
	places, ok, err := readTableIndex(bytes.NewReader(data), int64(len(data)))
	for _, p := range places {
		ok = ok && isTableBlock(data[p.at:p.at+int64(p.size)])
	}
	return len(places), ok, err
}

// LogZeros returns up to where zeros were written ahead of the log that is written.
func LogZeros(s *Store) (zeros int) {
	withLog(s, func(g *generation) { zeros = g.wal.zeros })
	return zeros
}

// LogPath returns where the log is that is written.
func LogPath(s *Store) (path string) {
	withLog(s, func(g *generation) { path = g.dir.Join(badgerfile.LogName(g.wal.number)) })
	return path
}

// NoteUnwritten has a store write zeros ahead on any file system.
func NoteUnwritten(s *Store) {
	withLog(s, func(g *generation) { g.wal.known, g.wal.notes = true, true })
}

// withLog calls fn while nothing is committed.
func withLog(s *Store, fn func(*generation)) {
	d := s.db
	d.committing.Lock()
	defer d.committing.Unlock()
	fn(d.generation())
}

// LeaveTables adds tables to a database that nobody has open, each with the one record of a commit.
func LeaveTables(database string, tables int, record func(commit uint64) (key, value []byte)) error {
	dir, err := disk.OpenDir(database)
	if err != nil {
		return err
	}
	g := &generation{dir: dir}
	for commit := uint64(1); err == nil && commit <= uint64(tables); commit++ {
		key, value := record(commit)
		err = g.addTable([]memRecord{{y.KeyWithTs(key, commit), y.ValueStruct{Value: value, Meta: badgerfile.MarkTxn}}})
	}
	return errors.Join(err, dir.Close())
}

// Holds says whether a store holds the space that Badger needs to begin the next log.
func Holds(s *Store) bool { return HoldsOf(s)() }

// HoldsOf is Holds of the database that is in charge now, also when another one is.
func HoldsOf(s *Store) func() bool {
	g := s.db.generation()
	return func() bool { return g.spare.Load() != nil }
}

// SetPunch has an index give back blocks in another way.
func SetPunch(s *Store, punch func(f *os.File, off, n int64) error) { s.db.punch = punch }

// FailFlush has a store believe that Badger could not write a table, as Badger's goroutine does. It
// returns when Badger may try again.
func FailFlush(s *Store) {
	s.db.generation().report("error flushing memtable to disk: %v, retrying", errors.New("a test"))
}

// CompactOverdue does what an opening does with a compaction that is overdue, when none has failed yet.
func CompactOverdue(s *Store, ctx context.Context) {
	withLog(s, func(*generation) { s.db.growth.next = 0 })
	s.db.compactOverdue(ctx)
}

// UntilHalf is the context that an overdue compaction gets.
var UntilHalf = untilHalf

// InBackground says whether something runs in the background.
func InBackground(s *Store) bool {
	s.db.background.mu.Lock()
	defer s.db.background.mu.Unlock()
	return s.db.background.running
}

// GiveUp has a store ask for what its owner has set aside.
func GiveUp(s *Store) error { return s.db.giveUp() }

// CommitsWait says whether somebody keeps commits away.
func CommitsWait(s *Store) bool {
	free := s.db.committing.TryLock()
	if free {
		s.db.committing.Unlock()
	}
	return !free
}

// ClosedBeforeCommits waits until nobody keeps commits away, and says whether the database is closed then
// that was in charge when it was made.
func ClosedBeforeCommits(s *Store) func() bool {
	g := s.db.generation()
	return func() (closed bool) {
		withLog(s, func(*generation) { closed = g.db.IsClosed() })
		return closed
	}
}

// Unsettle has a store believe that a memtable of the database that a compaction writes to is on its way
// into a table, until that database has failed. Without one it returns nil.
func Unsettle(s *Store) (fail func()) {
	withLog(s, func(*generation) {
		g := s.db.building
		if g == nil {
			return
		}
		g.wal.rotations++
		fail = func() { g.report("%v", errors.New("a test")) }
	})
	return fail
}

// Settle waits until no memtable is on its way into a table, and returns how many logs a compaction has
// begun that it has not seen.
func Settle(s *Store) (unseen int) {
	withLog(s, func(*generation) {
		s.db.settle()
		if g := s.db.building; g != nil {
			if _, err := g.dir.Lstat(badgerfile.LogName(g.wal.number + 1)); err == nil {
				unseen++
			}
		}
	})
	return unseen
}

// SkipCommit has a store believe that there was one commit more.
func SkipCommit(s *Store) {
	withLog(s, func(*generation) {
		s.db.mu.Lock()
		defer s.db.mu.Unlock()
		s.db.newest, s.db.reads = s.db.newest+1, nil
	})
}

// Fail has a store believe that Badger has reported trouble.
func Fail(s *Store) { s.db.generation().report("%v", errors.New("a test")) }

// Copies says whether a compaction copies what was committed meanwhile.
func Copies(s *Store) (copies bool) {
	withLog(s, func(*generation) { copies = s.db.building != nil })
	return copies
}
