package volumes

import (
	"errors"
	"fmt"
	"runtime"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/pb"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/internal/badgerfile"
	"github.com/gabion-storage/gabion/internal/disk"
)

const (
	// keysAhead is how far the blocks of the log of the keys are set aside before it is written.
	// Badger clears nextHeader bytes behind each record.
	keysAhead  = 64 << 10
	nextHeader = 22

	// reuseSize is after how many bytes the memory that Badger has written to is given to it again,
	// and mostReused how many of it.
	reuseSize  = 4 << 20
	mostReused = 2 * reuseSize

	// spareHandles is more than the file handles that Badger takes for a new database.
	spareHandles = 16
)

// activeBadger is a Badger volume that takes frames, which Badger writes.
type activeBadger struct {
	valueLog
	db   *badger.DB // nil once it is closed
	keys int64      // up to where the blocks of the log of the keys are set aside

	// window is the memory that Badger takes for its map of the value log: see disk.DetachMapping.
	// It is nil once Badger is closed, and where Badger writes to the file itself.
	window []byte
	keyLog []byte // likewise, of the log of the keys, which nothing is carried to
	reused int64  // up to where it has been given to Badger again, or to the system
}

// regime is how Badger runs here: appended to, never compacted, never garbage-collected, closed
// before its log of the keys is full.
func regime(dir string, volumeSize int64, log badger.Logger) badger.Options {
	return badger.DefaultOptions(dir).
		WithLogger(log).
		WithBypassLockGuard(true). // the store's own lock covers all volumes
		WithMetricsEnabled(false).
		WithSyncWrites(false). // what is synced, and in which order, is decided by flushState
		WithDetectConflicts(false).
		// Every value goes to the value log, also an empty one.
		WithValueThreshold(0).
		WithValueLogFileSize(valueLogSize(volumeSize)).
		WithMemTableSize(memTableSize).
		WithNumMemtables(2).
		WithBaseTableSize(1 << 20).
		WithNumCompactors(0).
		WithNumLevelZeroTables(1 << 20).
		WithNumLevelZeroTablesStall(1 << 21).
		WithCompactL0OnClose(false).
		WithCompression(options.None).
		WithBlockCacheSize(0).
		WithIndexCacheSize(0)
}

// openActive makes a database in a directory, which is empty, and which it owns unless it fails.
func openActive(own *disk.Dir, o *Options) (_ *activeBadger, err error) {
	a := &activeBadger{valueLog: valueLog{own: own, end: valueLogStart}}
	if err := a.openDatabase(o); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			if a.log != nil {
				err = errors.Join(err, a.log.Close())
			}
			err = errors.Join(err, a.closeDatabase())
		}
	}()
	every := func(string) bool { return true }
	if err := badgerfile.Own(own, every); err != nil {
		return nil, err
	}
	if a.log, err = own.OpenWritable(valueLogName); err != nil {
		return nil, err
	}
	if err := a.shorten(); err != nil {
		return nil, err
	}
	if a.window, err = disk.DetachMapping(a.log); err != nil {
		return nil, err
	}
	disk.WantHugePages(a.window)
	if err := a.detachKeys(); err != nil {
		return nil, err
	}
	// The entries of the files just made must outlive a power loss as well as their content.
	return a, own.Sync()
}

// shorten cuts the value log, of which Badger maps twice the size that it may have, to what is in
// it. From then on the file grows as it is needed: what lies in the map beyond its end must not be
// touched before. Others see a file of a size that makes sense, also after a crash.
func (a *activeBadger) shorten() error {
	if runtime.GOOS != "linux" { // elsewhere a file that is mapped keeps its size
		return nil
	}
	return a.log.Truncate(disk.BlockSize)
}

// openDatabase has Badger make its files, which it writes through their maps: the first page of each.
// That there is space for them is tried before.
func (a *activeBadger) openDatabase(o *Options) error {
	space := badgerKind{}.figures().createSpace
	if err := a.own.CheckSpace(space); err != nil {
		return err
	}
	err := a.makeDatabase(o)
	if err == nil || disk.IsNoSpace(err) {
		return err
	}
	return errors.Join(err, a.own.CheckSpace(space)) // it may have been a fault for want of it
}

func (a *activeBadger) makeDatabase(o *Options) (err error) {
	// Badger would make it and then open it by its path, which the umask may forbid.
	if err := a.own.WriteFile(badger.ManifestFilename, badgerfile.Manifest()); err != nil {
		return err
	}
	if err := badgerfile.MakeKeyRegistry(a.own); err != nil {
		return err
	}
	if err := badgerfile.MakeDiscard(a.own); err != nil {
		return err
	}
	a.db, err = badgerfile.Open(regime(a.own.Path(), o.VolumeSize, &badgerLog{o.Alarm}))
	return err
}

// allocate implements active.
func (a *activeBadger) allocate(upTo, frames, ahead int64) (end int64, err error) {
	if err := a.allocateKeys(frames); err != nil {
		return 0, err
	}
	return a.valueLog.allocate(upTo, frames, ahead)
}

// detachKeys has what Badger writes to the log of the keys not reach it, where that can be had: after
// a crash it is made again from the value log.
func (a *activeBadger) detachKeys() error {
	f, err := a.own.OpenWritable(keyLogName)
	if err != nil {
		return err
	}
	a.keyLog, err = disk.DetachMapping(f)
	return errors.Join(err, f.Close())
}

// allocateKeys sets aside the blocks of the log of the keys of so many frames, if Badger writes there.
func (a *activeBadger) allocateKeys(frames int64) error {
	if a.keyLog != nil {
		return nil
	}
	need := valueLogStart + frames*int64(keyRecordSize) + nextHeader
	if need <= a.keys {
		return nil
	}
	f, err := a.own.OpenWritable(keyLogName)
	if err != nil {
		return err
	}
	more := need + keysAhead - a.keys
	if err := errors.Join(disk.Preallocate(f, a.keys, more), f.Close()); err != nil {
		return err
	}
	a.keys += more
	return nil
}

// write implements active. The places of the frames are those where Badger puts them when it is
// given nothing else in between; whether it did is looked up.
//
// Each is given to Badger as what ends a transaction. Such a record goes to the value log, without
// that mark, and to the log of the keys, but not to the memtable: see spareTable.
func (a *activeBadger) write(_ *appender, batch []*putRequest) (err error) {
	defer badgerfile.Recovered("blob", &err)
	a.end = endOf(batch)
	loader := a.db.NewKVLoader(1)
	for _, r := range batch {
		kv := &pb.KV{
			Key: r.id[:], Value: r.frame, Version: uint64(r.ref.Offset), Meta: []byte{badgerfile.MarkTxnEnd},
		}
		if err := loader.Set(kv); err != nil {
			return errors.Join(err, loader.Finish())
		}
	}
	if err := loader.Finish(); err != nil {
		return err
	}
	if err := a.carry(int64(batch[0].ref.Offset)); err != nil {
		return err
	}
	if err := a.verify(batch); err != nil {
		return err
	}
	if err := a.reuse(); err != nil {
		return err
	}
	a.wrote(batch)
	return nil
}

// carry brings what Badger has written to the value log, from an offset on, to the file.
func (a *activeBadger) carry(from int64) error {
	if a.window != nil {
		_, err := a.log.WriteAt(a.window[from:a.end], from)
		return err
	}
	if runtime.GOOS != "linux" {
		// Elsewhere what is written through a memory map may be read and synced only after this.
		return a.db.Sync()
	}
	return nil
}

// verify looks for the heads of the records that were written where they should be. Another Badger
// than the one that this was written for might put them elsewhere, or their keys into its memtable.
func (a *activeBadger) verify(batch []*putRequest) error {
	if a.db.MaxVersion() != 0 {
		return errors.New("blob: badger has put keys into its memtable")
	}
	var is [maxHeadSize]byte
	for _, r := range batch {
		want := badgerKind{}.head(r.ref)
		if _, err := a.log.ReadAt(is[:want.size], int64(r.ref.Offset)); err != nil {
			return err
		}
		if string(is[:want.size]) != string(want.bytes()) {
			return fmt.Errorf(
				"blob: badger has not put the record of chunk %s at %d", r.id, r.ref.Offset,
			)
		}
	}
	return nil
}

// reuse has Badger write on in the memory that it wrote before, when that is worth while, and gives
// back what it will not need.
func (a *activeBadger) reuse() error {
	if a.window == nil || a.end-a.reused < reuseSize {
		return nil
	}
	from := max(a.reused, a.end-mostReused)
	a.reused = a.end
	if err := disk.ReuseMemory(a.window, from, a.end); err != nil {
		return err
	}
	disk.ReleaseMemory(a.window[:a.end])
	return nil
}

// finish implements active.
func (a *activeBadger) finish(_ int64, info blob.VolumeInfo) error {
	if err := a.closeDatabase(); err != nil {
		return err
	}
	return a.seal(info)
}

// close implements active.
func (a *activeBadger) close() error {
	return errors.Join(a.closeDatabase(), a.table.close(a.own), a.own.Close())
}

// closeDatabase closes Badger, once, which cuts the value log and removes the log of the keys. What is
// set aside behind the frames is given back before.
func (a *activeBadger) closeDatabase() (err error) {
	if a.db == nil {
		return nil
	}
	a.pushing.Wait()
	a.window, a.keyLog = nil, nil // Badger unmaps them
	db := a.db
	a.db = nil
	freed := a.freeTail()
	defer func() { err = errors.Join(freed, err) }()
	defer badgerfile.Recovered("blob", &err)
	return db.Close()
}

// freeTail gives back what was set aside behind the frames.
func (a *activeBadger) freeTail() error {
	from := disk.RoundUp(a.end)
	if from >= a.allocated {
		return nil
	}
	err := disk.PunchHole(a.log, from, a.allocated-from)
	if errors.Is(err, errors.ErrUnsupported) || disk.IsNoSpace(err) {
		return nil // nothing could be set aside; or Btrfs says so, and Badger cuts the log there anyway
	}
	return err
}

// badgerLog passes on what Badger reports as an error, and drops the rest of its talk.
type badgerLog struct{ alarm func(error) }

// Errorf implements badger.Logger.
func (l *badgerLog) Errorf(format string, args ...any) {
	l.alarm(fmt.Errorf("blob: badger: %s", strings.TrimSpace(fmt.Sprintf(format, args...))))
}

func (*badgerLog) Warningf(string, ...any) {}
func (*badgerLog) Infof(string, ...any)    {}
func (*badgerLog) Debugf(string, ...any)   {}
