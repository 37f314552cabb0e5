package badger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/internal/badgerfile"
	"github.com/gabion-storage/gabion/internal/disk"
)

const (
	// memTableSize decides most of the memory, and the limits of a transaction: Badger takes 15 %
	// of it, 1,258,291 bytes, and one record for each 96 of those, 13,107, in one transaction. It
	// must never shrink: the log of an index that was not closed would not fit.
	memTableSize = 8 << 20

	// tableSize is that of the tables that a builder writes. Twice of it is taken in memory.
	tableSize = 8 << 20

	// valueThreshold keeps every value in the LSM: the value log stays empty, so that nothing has
	// to be reclaimed from it.
	valueThreshold = 1 << 20

	// outOfReach is a number of tables at which Badger would begin to compact or to hold up
	// writers.
	outOfReach = 1 << 30
)

// A generation is one Badger database in a directory of its own. One after another is in charge of
// the index.
//
// Badger never compacts it: its compaction takes a table that it could not write for one that is
// not needed, and drops its records without a word; it keeps tables that hold nothing but
// deletions; and it would drop versions under a reader unless it is told of each. So a generation
// has the tables it was built with, sorted, in the last level, and in level zero what was committed
// since, a memtable's worth each. When there is too much of that, the next generation is built.
// Badger runs in managed mode, where a reader names the commit it wants to see: in its other mode
// every reader waits for the commits in flight, with their syncs.
type generation struct {
	current
	dir     *disk.Dir
	db      *badger.DB
	wal     wal
	spare   atomic.Pointer[disk.Held] // while Badger may begin the next log: see takeSpare
	level0  int                       // tables of level zero when it was opened
	holders int                       // snapshots, and the database while it is in charge; guarded by the database's mu

	alarm  func(error)
	fault  atomic.Pointer[error] // the first error that Badger has reported
	failed chan struct{}         // closed with it
	once   sync.Once

	closing chan struct{} // closed when it begins
	retries atomic.Int32  // failed flushes since
	stuck   chan struct{} // closed when closing leads nowhere
}

// openGeneration opens a database that is there.
func (d *database) openGeneration(ctx context.Context, c current) (*generation, error) {
	dir := d.dir
	own, err := dir.OpenDir(c.name())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &index.CorruptionError{
			Where: dir.Join(c.name()), Reason: "the database is missing", Err: err,
		}
	} else if err != nil {
		return nil, mapError("open", err)
	}
	g := &generation{
		current: c, dir: own, alarm: d.alarm, failed: make(chan struct{}), closing: make(chan struct{}),
		stuck: make(chan struct{}),
	}
	g.wal.dir = g.dir
	g.wal.free = func() error {
		g.returnSpare()
		if d.giveUp == nil {
			return nil
		}
		return d.giveUp()
	}
	if err := g.open(ctx, d.tryAlone); err != nil {
		return nil, errors.Join(mapError("open", err), own.Close())
	}
	if err := errors.Join(g.failure(), g.own(), g.wal.find(), g.dir.Sync()); err != nil {
		return nil, errors.Join(mapError("open", err), g.abandon())
	}
	return g, nil
}

// open hands the directory over to Badger, when nothing in it can hurt. It may try whether there is space.
func (g *generation) open(ctx context.Context, try func(int64) error) error {
	if err := errors.Join(g.checkEntries(), g.own()); err != nil {
		return err
	}
	clean, err := g.verify()
	if err != nil {
		return err
	}
	err = errors.Join(
		g.prepare(ctx, clean), badgerfile.MakeKeyRegistry(g.dir), badgerfile.MakeDiscard(g.dir),
	)
	if err != nil {
		return err
	}
	g.dir.WriteInPlace() // the logs
	if g.db, err = badgerfile.Open(regime(g.dir.Path(), g)); err != nil {
		return errors.Join(err, try(spareSpace)) // it may have been a fault for want of it
	}
	g.level0 = g.tablesOfLevel0()
	return nil
}

// own makes the files of Badger's their owner's alone.
func (g *generation) own() error {
	return badgerfile.Own(g.dir, func(name string) bool { return listed(name) || unlisted(name) })
}

// verify checks the files of a database that was closed properly, and says whether it was. It comes
// before Badger sees them, because Badger may end the process, or drop tables, when they are
// damaged.
func (g *generation) verify() (clean bool, err error) {
	err = g.dir.VerifySums()
	var changed *disk.SumsError
	switch {
	case errors.As(err, &changed):
		return false, &index.CorruptionError{Where: changed.File, Reason: changed.Reason, Err: err}
	case err == nil:
		return true, nil
	case !errors.Is(err, fs.ErrNotExist):
		return false, mapError("verify checksums", err)
	}
	// Without a MANIFEST Badger would begin an empty database.
	_, err = g.dir.Lstat(badger.ManifestFilename)
	if errors.Is(err, fs.ErrNotExist) {
		err = &index.CorruptionError{
			Where: g.dir.Join(badger.ManifestFilename), Reason: "the file is missing", Err: err,
		}
	}
	return false, err
}

// prepare removes what Badger stumbles over, verifies what it believes and syncs what it relies on.
func (g *generation) prepare(ctx context.Context, clean bool) error {
	// After a proper close, what is not listed was left by an opening that did not succeed. See
	// unlisted.
	superfluous := unlisted
	if !clean {
		superfluous = scratch
	}
	if err := g.removeAll(superfluous); err != nil {
		return err
	}
	// A crash between the creation of a log and its first growth, or before its removal, leaves it
	// empty. Badger fails on it once, and leaks goroutines then.
	if err := g.dir.RemoveEmpty(badgerfile.LogSuffix); err != nil {
		return err
	}
	// Badger appends to it, and another name of it may be somebody's copy of the whole directory.
	if err := g.dir.Separate(badger.ManifestFilename, manifestSize); err != nil {
		return err
	}
	// What Badger did not get to sync before a crash may be in memory only, and what follows builds
	// on it.
	if err := g.syncManifest(); err != nil {
		return err
	}
	listed, err := g.repairManifest(clean)
	if err != nil {
		return err
	}
	// SUMS has vouched for the blocks of a table, and Badger reads them once more.
	if err := g.checkTables(ctx, listed, !clean); err != nil {
		return err
	}
	if !clean {
		if err := g.checkLogs(); err != nil {
			return err
		}
		if err := g.replayLogs(); err != nil {
			return err
		}
	}
	return g.mergeTables()
}

// removeAll removes the files of these names.
func (g *generation) removeAll(which func(name string) bool) error {
	entries, err := g.dir.Entries()
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if which(entry.Name()) {
			if err := g.dir.Remove(entry.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}

// begin removes SUMS, durably, before the first commit. Until then nothing that it lists has
// changed: tables and MANIFEST change when a memtable is flushed, and there is none after a proper
// close.
func (g *generation) begin() error {
	return mapError("remove checksums", g.dir.RemoveSums())
}

// regime is how Badger runs here. Every setting that differs from the default has its reason.
func regime(dir string, g *generation) badger.Options {
	return badger.DefaultOptions(dir).
		WithLogger(&listener{g}).
		WithBypassLockGuard(true). // see openDatabase
		WithSyncWrites(!syncsLog).
		WithDetectConflicts(false). // updates are serial
		WithMetricsEnabled(false).
		WithValueThreshold(valueThreshold).
		WithValueLogFileSize(1 << 20). // it stays empty, and two of its size are mapped
		WithMemTableSize(memTableSize).
		WithBaseTableSize(tableSize).
		WithNumMemtables(2).
		WithNumCompactors(0). // see generation
		WithNumLevelZeroTables(outOfReach).
		WithNumLevelZeroTablesStall(outOfReach + 1).
		WithCompactL0OnClose(false).
		WithCompression(options.None).
		WithBlockCacheSize(0). // without compression the page cache does it
		// Checking a block when it is read would turn a bad one into records that silently do not
		// exist. Checking when the table is opened refuses to open.
		WithChecksumVerificationMode(options.OnTableRead)
}

// report takes in what Badger reports as an error. It has no caller to return it to: it is work in
// the background that failed, and some of it Badger tries again in ways that leave its files
// inconsistent. So nothing more is committed.
func (g *generation) report(format string, err error) {
	flushing := strings.HasPrefix(format, "error flushing memtable")
	if flushing && g.db != nil && !g.isClosing() {
		_, _ = g.keepLogs() // for ever
	}
	g.once.Do(func() {
		g.fault.Store(&err)
		close(g.failed)
	})
	if g.alarm != nil {
		g.alarm(err)
	}
	if flushing {
		g.blockFlush()
	}
}

// retriesOfClose is how often Badger may try to write a table once it is closed.
const retriesOfClose = 3

// blockFlush keeps Badger from trying a flush that has failed again every second, each time with
// another table, of which it leaves the file, the handle and the map. It is called by what flushes. As
// long as the database is open nothing depends on it any more; closing waits for it, a few times, and
// then Badger writes there no more.
func (g *generation) blockFlush() {
	if !g.isClosing() {
		<-g.closing
		return
	}
	if g.retries.Add(1) == retriesOfClose {
		close(g.stuck)
		select {}
	}
}

func (g *generation) isClosing() bool {
	select {
	case <-g.closing:
		return true
	default:
		return false
	}
}

// keepLogs keeps the logs of all memtables. Badger removes a log when its memtable is in a table
// and nobody holds it any more, and an iterator does. After a failure it must stay for the next
// opening: whether a table that Badger wrote after that is found again depends on a MANIFEST whose
// sync has failed. Badger reports a failed flush where it has no lock, and tries again only later.
// drop ends that.
func (g *generation) keepLogs() (drop func(), err error) {
	defer badgerfile.Recovered("index", &err)
	txn := g.db.NewTransactionAt(0, false)
	it := txn.NewIterator(badger.IteratorOptions{})
	return func() { it.Close(); txn.Discard() }, nil
}

// failure is what Badger has reported, or nil.
func (g *generation) failure() error {
	if err := g.fault.Load(); err != nil {
		return *err
	}
	return nil
}

// close closes the database, and what is open beside it.
func (g *generation) close() error {
	g.returnSpare()
	return errors.Join(g.closeDatabase(), g.wal.close())
}

// closeDatabase closes Badger, which tries for ever to write the last table; after three failures
// it is left to that. The logs stay until it is known that all went well.
func (g *generation) closeDatabase() error {
	dropLogs, err := g.keepLogs()
	if err != nil {
		return err // Badger is without a memtable, after a failed commit, and would crash
	}
	close(g.closing)
	done := make(chan error, 1)
	go func() {
		var err error
		defer func() { done <- err }()
		defer badgerfile.Recovered("index", &err)
		err = g.db.Close()
	}()
	select {
	case err := <-done:
		if err = errors.Join(err, g.failure()); err == nil {
			dropLogs()
		}
		return err
	case <-g.stuck:
		return fmt.Errorf("%w: %w", errStuck, g.failure())
	}
}

// errStuck says that Badger still works on the files.
var errStuck = errors.New("index: the last table cannot be written")

// abandon closes the database and its directory.
func (g *generation) abandon() error {
	err := g.close()
	if errors.Is(err, errStuck) {
		return err // Badger still works there
	}
	return errors.Join(err, g.dir.Close())
}

// seal records the checksums of a database that was closed.
func (g *generation) seal() error {
	if err := errors.Join(g.removeAll(unlisted), g.own()); err != nil {
		return err
	}
	return g.dir.WriteSums(listed)
}

// last is the last commit.
func (g *generation) last() uint64 { return max(g.base, g.db.MaxVersion()) }

func (g *generation) syncManifest() error {
	// Windows syncs only what could be written.
	f, err := g.dir.OpenWritable(badger.ManifestFilename)
	if err != nil {
		return err
	}
	return errors.Join(disk.SyncData(f), f.Close())
}

// mapError makes an error of the system or of Badger one of this package. nil stays nil.
func mapError(doing string, err error) error {
	var entry *disk.EntryError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &entry):
		return &index.CorruptionError{Where: entry.Path, Reason: entry.Reason, Err: err}
	case disk.SaysNoSpace(err): // Badger does not wrap all of them
		return fmt.Errorf("%w: %s: %w", index.ErrNoSpace, doing, err)
	default:
		return fmt.Errorf("index: %s: %w", doing, err)
	}
}

// guard is deferred by what reads tables, which are memory maps: before is what SetPanicOnFault has
// returned. A sector that cannot be read, a file that somebody has cut short, and a block that has changed
// since the database was opened, are a panic there.
func (g *generation) guard(before bool, err *error) {
	debug.SetPanicOnFault(before)
	p := recover()
	switch {
	case p == nil:
	case g.failure() != nil && isNilPointer(p): // after a failed commit Badger may be without a memtable
		*err = fmt.Errorf("index: badger panicked: %v: %w", p, g.failure())
	default:
		*err = &index.CorruptionError{
			Where:  g.dir.Path(),
			Reason: fmt.Sprintf("a table cannot be read, or is damaged: %v: restore the directory from a copy", p),
		}
	}
}

// isNilPointer tells that from a fault of a memory map.
func isNilPointer(p any) bool {
	err, ok := p.(runtime.Error)
	_, addressed := p.(interface{ Addr() uintptr })
	return ok && !addressed && strings.Contains(err.Error(), "nil pointer")
}

// A listener hears what Badger says: what it reports as an error, and when it begins a log.
type listener struct {
	generation *generation // may be nil
}

func (l *listener) Errorf(format string, args ...any) {
	if l.generation != nil {
		l.generation.report(
			format,
			fmt.Errorf("index: badger: %s", strings.TrimSpace(fmt.Sprintf(format, args...))),
		)
	}
}

// Debugf is called by Badger's writer between two memtables: it has handed the full one over to be put
// into a table, which is built in memory first, and begins the next log behind this.
func (l *listener) Debugf(format string, _ ...any) {
	if l.generation != nil && strings.HasPrefix(format, "Flushing memtable, ") {
		l.generation.returnSpare()
	}
}

func (l *listener) Warningf(string, ...any) {}
func (l *listener) Infof(string, ...any)    {}
