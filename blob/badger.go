package blob

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/gabion-storage/gabion/internal/disk"
)

// The regime that a volume's Badger database lives under: appended to, never compacted, never
// garbage-collected, sealed before its keys outgrow one memtable.
const (
	memTableSize = 4 << 20

	// maxVolumeKeys keeps the keys of a volume, about 110 bytes each in the memtable and at most
	// 180 in its log (a transaction of its own for each), below memTableSize: the memtable is
	// never flushed before Close, and the log never replaced, so that one set of file handles can
	// be synced for the volume's whole life.
	maxVolumeKeys = 16 << 10

	// recordOverhead bounds what Badger adds to a piece in the value log: header 22, key and its
	// timestamp 8, CRC 4; batchOverhead bounds the mark that ends a transaction.
	recordOverhead = 22 + pieceKeySize + 8 + 4
	batchOverhead  = 128

	// spareHandles is more than the file handles that opening a volume for writing takes.
	spareHandles = 16

	// valueThreshold is the size from which a value goes to the value log. It must be above that
	// of a commit timestamp in decimal: Badger keeps one as the value of the mark that ends a
	// transaction, and does not understand its own log after a crash if the mark's value is a
	// pointer into the value log. Pieces below it lie among the keys.
	valueThreshold = 32
)

func badgerOptions(dir string, volumeSize int64, alarm func(error)) badger.Options {
	return badger.DefaultOptions(dir).
		WithLogger(logger{alarm}).
		WithMetricsEnabled(false).
		WithSyncWrites(false). // volume.sync flushes in an order that Badger does not keep
		WithDetectConflicts(false).
		WithValueThreshold(valueThreshold).
		// The volume is sealed before this size is reached, so Badger never rotates the log.
		WithValueLogFileSize(min(volumeSize+(1<<20), math.MaxInt32/2)).
		WithMemTableSize(memTableSize).
		WithNumMemtables(2).
		WithBaseTableSize(1 << 20).
		WithNumCompactors(0).
		WithNumLevelZeroTables(1 << 20).
		WithNumLevelZeroTablesStall(1 << 21).
		WithCompactL0OnClose(false).
		WithCompression(options.None).
		WithBlockCacheSize(0).
		WithIndexCacheSize(0).
		// A failed checksum makes Badger return no value and no error; frameOf turns that into a
		// CorruptionError. It also stands before Badger's parsing of a damaged record header,
		// which may panic or keep a lock.
		WithVerifyValueChecksum(true).
		WithChecksumVerificationMode(options.OnTableRead).
		// The store's own lock covers all volumes.
		WithBypassLockGuard(true)
}

// openBadger opens the database in dir. Badger may panic on damaged files: that is an error here.
func openBadger(opts badger.Options) (db *badger.DB, err error) {
	defer func() {
		if p := recover(); p != nil {
			db, err = nil, fmt.Errorf("badger panicked while opening: %v", p)
		}
	}()
	if !opts.ReadOnly {
		// A crash between a file's creation and its first growth, or before its removal, leaves it
		// empty. Badger fails on it once, and leaks goroutines then.
		if err := disk.RemoveEmpty(opts.Dir, ".mem", ".vlog"); err != nil {
			return nil, err
		}
		// Badger ends the process when it cannot create one of its files.
		if err := disk.CheckHandles(filepath.Join(filepath.Dir(opts.Dir), disk.LockFile), spareHandles); err != nil {
			return nil, err
		}
	}
	db, err = badger.OpenManaged(opts)
	if err != nil {
		return nil, err // Badger returns what it had of a database too
	}
	return db, nil
}

// frameOf reads the frame of ref from db into the storage of buf.
func frameOf(db *badger.DB, ref Ref, buf []byte) (_ []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &CorruptionError{Volume: ref.Volume, ID: ref.ID, Reason: fmt.Sprintf("badger panicked while reading: %v", p)}
		}
	}()
	if ref.Size > MaxFrameSize {
		return nil, sizeMismatch(ref)
	}
	frame := slices.Grow(buf[:0], int(ref.Size))[:ref.Size]
	txn := db.NewTransactionAt(math.MaxUint64, false)
	defer txn.Discard()
	for i := range pieceCount(len(frame)) {
		if err := readPiece(txn, ref, i, pieceOf(frame, i)); err != nil {
			return nil, err
		}
	}
	if n := len(frame); n > 0 && n%pieceSize == 0 {
		// The last piece is a full one, so its length does not say that the frame ends there.
		if _, err := txn.Get(pieceKey(ref.ID, n/pieceSize)); !errors.Is(err, badger.ErrKeyNotFound) {
			return nil, sizeMismatch(ref)
		}
	}
	return frame, nil
}

// readPiece copies a piece into dst, which must be as long as it is.
func readPiece(txn *badger.Txn, ref Ref, i int, dst []byte) error {
	item, err := txn.Get(pieceKey(ref.ID, i))
	if errors.Is(err, badger.ErrKeyNotFound) {
		return &CorruptionError{Volume: ref.Volume, ID: ref.ID, Reason: fmt.Sprintf("piece %d of the frame is missing", i)}
	}
	if err != nil {
		return &CorruptionError{Volume: ref.Volume, ID: ref.ID, Reason: "the key cannot be read", Err: err}
	}
	var size int
	err = item.Value(func(value []byte) error {
		size = len(value)
		copy(dst, value)
		return nil
	})
	switch {
	case err != nil:
		return &CorruptionError{Volume: ref.Volume, ID: ref.ID, Reason: "the value cannot be read", Err: err}
	case size == 0 && len(dst) > 0:
		// Badger reports a value that it could not read, or whose checksum is wrong, as an empty
		// one without an error.
		return &CorruptionError{Volume: ref.Volume, ID: ref.ID, Reason: "its record cannot be read or has a wrong checksum"}
	case size != len(dst):
		return sizeMismatch(ref)
	}
	return nil
}

// appendBatch writes the frames of one batch in one transaction.
func appendBatch(db *badger.DB, ts uint64, batch []*putRequest) error {
	txn := db.NewTransactionAt(math.MaxUint64, true)
	defer txn.Discard()
	for _, r := range batch {
		for i := range pieceCount(len(r.frame)) {
			if err := txn.Set(pieceKey(r.id, i), pieceOf(r.frame, i)); err != nil {
				return err
			}
		}
	}
	return txn.CommitAt(ts, nil)
}

// frameSizes returns the size of every frame that db can still read, by reading it.
func frameSizes(db *badger.DB) (sizes map[ID]uint32, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("badger panicked while listing: %v", p)
		}
	}()
	sizes = make(map[ID]uint32)
	txn := db.NewTransactionAt(math.MaxUint64, false)
	defer txn.Discard()
	it := txn.NewIterator(badger.IteratorOptions{})
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		item := it.Item()
		if id, ok := idOfPiece(item.Key()); ok {
			err := item.Value(func(v []byte) error {
				sizes[id] += uint32(len(v))
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return sizes, nil
}

// logger drops Badger's chatter and passes on what it calls an error.
type logger struct{ alarm func(error) }

func (l logger) Errorf(format string, args ...any) {
	l.alarm(fmt.Errorf("blob: badger: "+strings.TrimSpace(format), args...))
}
func (logger) Warningf(string, ...any) {}
func (logger) Infof(string, ...any)    {}
func (logger) Debugf(string, ...any)   {}
