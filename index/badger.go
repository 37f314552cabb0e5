package index

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/gabion-storage/gabion/internal/disk"
)

const (
	// memTableSize decides most of the memory, and the limits of a transaction: Badger takes 15 % of it, 1,258,291 bytes, and one
	// record for each 96 of those, 13,107, in one transaction. It must never shrink: the log of an index that was not closed
	// would not fit.
	memTableSize = 8 << 20

	// valueThreshold keeps every value in the LSM: the value log stays empty, so that nothing has to be reclaimed from it.
	valueThreshold = 1 << 20

	defaultReserve = 64 << 20
)

// BadgerOptions are the options of OpenBadger. The zero value and nil work.
type BadgerOptions struct {
	// Alarm is called with what Badger has to report beside the errors of calls: trouble of its background work. It may be called
	// from any goroutine at any time until Close returns. nil ignores alarms.
	Alarm func(error)

	// Reserve is how many bytes of the file system stay free: with less, Updates are refused with ErrNoSpace. It must leave room
	// for the background work, which cannot be refused: Badger writes through memory maps, so when the disk is really full, it
	// kills the process. 0 means 64 MiB, which suits an index of up to some gigabytes.
	Reserve int64
}

// Badger is a Store in a directory.
type Badger struct {
	serial *serial
}

// OpenBadger opens the index in dir, or creates it; the directory is then for this Store alone.
//
// An index that was closed properly is checked byte by byte first: one that changed since is refused with a *CorruptionError, and
// nothing is touched. One that was not closed is brought back to its last durable commit; for what is weaker then see the package
// comment. A directory that is open already is refused with ErrInUse.
func OpenBadger(ctx context.Context, dir string, opts *BadgerOptions) (*Badger, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if opts == nil {
		opts = &BadgerOptions{}
	}
	db, err := openDatabase(dir, *opts)
	if err != nil {
		return nil, err
	}
	return &Badger{serial: newSerial(db)}, nil
}

// View implements Store.
func (b *Badger) View(ctx context.Context, fn func(Reader) error) error {
	return b.serial.view(ctx, fn)
}

// Update implements Store.
func (b *Badger) Update(ctx context.Context, fn func(Tx) error) error {
	return b.serial.update(ctx, fn)
}

// Close implements Store. It records checksums of all files for the next OpenBadger. Closing writes: with less than some 20 MiB
// free it returns ErrNoSpace and may be called again when there is space; what was acknowledged is durable all the same.
func (b *Badger) Close() error { return b.serial.close() }

// database is the backend of a Badger. Badger runs in managed mode, where a reader names the commit it wants to see: in its other
// mode every reader waits for the commits in flight, with their syncs.
type database struct {
	dir       string
	reserve   int64
	lock      *disk.Lock
	db        *badger.DB
	wal       wal
	snapshots snapshots
	spaceOf   func(dir string) (disk.Space, error)
}

func openDatabase(dir string, opts BadgerOptions) (_ *database, err error) {
	d := &database{dir: dir, reserve: opts.Reserve, wal: wal{dir: dir}, spaceOf: disk.SpaceOf}
	if d.reserve <= 0 {
		d.reserve = defaultReserve
	}
	if err := makeDir(dir); err != nil {
		return nil, mapError("create directory", err)
	}
	// Badger's own lock would be given free before the checksums are written, so it is this one that counts, from before they are
	// read until after they are written.
	if d.lock, err = disk.LockDir(dir); errors.Is(err, disk.ErrLocked) {
		return nil, fmt.Errorf("%w: %s", ErrInUse, dir)
	} else if err != nil {
		return nil, mapError("lock directory", err)
	}
	if err = d.start(opts); err != nil {
		return nil, errors.Join(err, d.lock.Unlock())
	}
	return d, nil
}

func (d *database) start(opts BadgerOptions) error {
	if err := d.room(d.spareSpace()); err != nil {
		return err
	}
	if err := verify(d.dir); err != nil {
		return err
	}
	// From here on the files change, so the checksums have to go, durably, before the first change.
	if err := disk.RemoveSums(d.dir); err != nil {
		return mapError("remove checksums", err)
	}
	// A crash between the creation of a log and its first growth, or before its removal, leaves it empty. Badger fails on it once,
	// and leaks goroutines then.
	if err := disk.RemoveEmpty(d.dir, ".mem", ".vlog"); err != nil {
		return mapError("remove empty logs", err)
	}
	db, err := openBadger(regime(d.dir, opts.Alarm))
	if err != nil {
		return mapError("open", err)
	}
	d.db = db
	d.snapshots.start(db.MaxVersion(), db.SetDiscardTs)
	if err := errors.Join(d.wal.find(), disk.SyncDir(d.dir)); err != nil {
		return errors.Join(mapError("open", err), db.Close())
	}
	return nil
}

// regime is how Badger runs here. Every setting that differs from the default has its reason.
func regime(dir string, alarm func(error)) badger.Options {
	return badger.DefaultOptions(dir).
		WithLogger(&alarmLogger{alarm}).
		WithBypassLockGuard(true). // see openDatabase
		WithSyncWrites(true).
		WithDetectConflicts(false). // updates are serial
		WithNumVersionsToKeep(1).
		WithMetricsEnabled(false).
		WithValueThreshold(valueThreshold).
		WithValueLogFileSize(1 << 20). // it stays empty, and two of its size are mapped
		WithMemTableSize(memTableSize).
		WithNumMemtables(2).
		WithNumLevelZeroTables(2).
		WithNumLevelZeroTablesStall(8).
		WithNumCompactors(2). // the fewest it takes
		WithCompression(options.None).
		WithBlockCacheSize(0). // without compression the page cache does it
		// Checking a block when it is read would turn a bad one into records that silently do not exist, and the next
		// compaction would drop them. Checking when the table is opened refuses to open.
		WithChecksumVerificationMode(options.OnTableRead)
}

// openBadger turns a panic, which damaged files can cause, into an error.
func openBadger(opts badger.Options) (db *badger.DB, err error) {
	defer recovered(&err)
	return badger.OpenManaged(opts)
}

func (d *database) snapshot() snapshot {
	return &badgerSnapshot{db: d, at: d.snapshots.open()}
}

func (d *database) commit(changes *node) error {
	at := d.snapshots.last() + 1
	txn := d.db.NewTransactionAt(at-1, true)
	defer txn.Discard()
	all := changes.seek(nil, nil)
	for e := all.next(); e != nil; e = all.next() {
		// Badger keeps the slices until the commit is done, and so do the nodes, which never change.
		write := func() error { return txn.Set(e.key, e.value) }
		if e.removed {
			write = func() error { return txn.Delete(e.key) }
		}
		if err := write(); err != nil {
			return mapError("commit", err)
		}
	}
	if err := txn.CommitAt(at, nil); err != nil {
		return mapError("commit", err)
	}
	if err := d.wal.follow(); err != nil {
		return mapError("commit", err)
	}
	d.snapshots.committed(at)
	return nil
}

func (d *database) close() error {
	err := d.db.Close()
	if err == nil {
		err = disk.WriteSums(d.dir, func(name string) bool { return name != disk.LockFile })
	}
	return errors.Join(mapError("close", err), mapError("unlock", d.lock.Unlock()))
}

// verify checks the files of an index that was closed properly. It comes before Badger sees them, because Badger may end the
// process, or drop tables, when they are damaged.
func verify(dir string) error {
	err := disk.VerifySums(dir)
	var changed *disk.SumsError
	switch {
	case errors.As(err, &changed):
		return &CorruptionError{Where: changed.File, Reason: changed.Reason, Err: err}
	case errors.Is(err, fs.ErrNotExist):
		return nil // new, or not closed
	default:
		return mapError("verify checksums", err)
	}
}

// makeDir creates dir durably.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	return disk.SyncDir(filepath.Dir(dir))
}

// mapError makes an error of the system or of Badger one of this package. nil stays nil.
func mapError(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case disk.IsNoSpace(err):
		return fmt.Errorf("%w: %s: %w", ErrNoSpace, doing, err)
	default:
		return fmt.Errorf("index: %s: %w", doing, err)
	}
}

// recovered turns a panic of Badger's into an error.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("index: badger panicked: %v", p)
	}
}

// alarmLogger keeps what Badger reports as an error, and drops the rest of its talk.
type alarmLogger struct {
	alarm func(error)
}

func (l *alarmLogger) Errorf(format string, args ...any) {
	if l.alarm != nil {
		l.alarm(fmt.Errorf("index: badger: %s", strings.TrimSpace(fmt.Sprintf(format, args...))))
	}
}

func (l *alarmLogger) Warningf(string, ...any) {}
func (l *alarmLogger) Infof(string, ...any)    {}
func (l *alarmLogger) Debugf(string, ...any)   {}
