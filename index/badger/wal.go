package badger

import (
	"errors"
	"os"
	"runtime"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/internal/badgerfile"
	"github.com/gabion-storage/gabion/internal/disk"
)

const (
	// walSpace is what Badger writes to a log before it begins the next: a memtable's worth and one
	// transaction, with the headers of its records.
	walSpace = memTableSize + 2<<20

	// memTableRecord is the most that a record takes of a memtable and of a log beside its key and
	// value: a node of the highest tower, versions, headers and checksums.
	memTableRecord = 160

	// largestCommit is what one commit takes of a memtable at most.
	largestCommit = index.MaxTxBytes + index.MaxTxRecords*(memTableRecord-index.RecordCost)
)

// syncsLog says that a log is synced by a handle of ours after Badger has written to it. Badger
// would sync its value log before, by another call: that holds nothing, but costs a flush of the
// disk's cache each time. Elsewhere than on Linux only Badger can sync what it wrote through its
// memory map.
const syncsLog = runtime.GOOS == "linux"

// A wal follows the newest of Badger's write-ahead logs, syncs it, and sets its space aside, so that
// writing it cannot meet a full disk. Who commits owns it.
type wal struct {
	dir       *disk.Dir
	number    int
	rotations int      // logs that were begun since the first
	file      *os.File // that log; nil until its space is set aside, or it is synced
	allocated bool
	used      int // bytes at the most, of the memtable, too
	last      int // bytes at the most, of the commit under way

	window window       // that Badger writes to instead
	free   func() error // frees what was set aside

	// See writeAhead.
	zeros        int    // up to where zeros were written
	step         []byte // memory for them
	known, notes bool   // it is known whether they gain anything, and they do
}

// find looks for the newest log.
func (w *wal) find() error {
	files, err := w.dir.Entries()
	if err != nil {
		return err
	}
	for _, file := range files {
		if number, ok := badgerfile.LogNumber(file.Name()); ok {
			w.number = max(w.number, number)
		}
	}
	return nil
}

// follow notices, after a commit, that Badger went on to a new log, and makes sure that it will be
// found there: Badger syncs the file but not its directory.
func (w *wal) follow() error {
	if _, err := w.dir.Lstat(badgerfile.LogName(w.number + 1)); err != nil {
		return nil
	}
	if err := w.close(); err != nil {
		return err
	}
	w.number++
	w.rotations++
	w.allocated, w.used, w.zeros = false, w.last, 0 // the commit is the first of that log
	return w.dir.Sync()
}

// sync makes durable what Badger has written to the newest log. The logs before it are: each commit
// is synced before the next is written, and lies in one log.
func (w *wal) sync() error {
	if w.file == nil { // Badger has begun it with this commit
		if err := w.open(); err != nil {
			return err
		}
	} else if err := w.carry(); err != nil {
		return err
	}
	w.writeAhead()
	return disk.SyncData(w.file)
}

// carry brings a commit to the newest log. The blocks that were set aside may not do: somebody who shares
// them, by a snapshot or a reflink, makes each write take one more. Then space is freed once.
func (w *wal) carry() error {
	err := w.window.carry(w.file)
	if !disk.IsNoSpace(err) {
		return err
	}
	if freeErr := w.free(); freeErr != nil {
		return errors.Join(err, freeErr)
	}
	return w.window.carry(w.file)
}

// open opens the newest log and its window.
func (w *wal) open() error {
	f, err := w.dir.OpenWritable(badgerfile.LogName(w.number))
	if err != nil {
		return err
	}
	if err := w.window.open(f); err != nil {
		return errors.Join(err, f.Close())
	}
	w.file = f
	return nil
}

// charge counts a record of a commit.
func (w *wal) charge(c index.Change) {
	n := len(c.Key) + len(c.Value) + memTableRecord
	w.used += n
	w.last += n
}

// close lets go of the newest log.
func (w *wal) close() error {
	if w.file == nil {
		return nil
	}
	err := w.file.Close()
	w.file, w.window = nil, window{} // Badger unmaps it when it likes
	return err
}

// hasRoom reports whether the largest commit fits into what is set aside of the newest log.
func (w *wal) hasRoom() bool { return w.allocated && w.used+largestCommit <= memTableSize }

// allocate sets the space of the newest log aside, once. The first log that a database has open gets its
// window here, before anything is written to it.
func (w *wal) allocate() error {
	if w.allocated {
		return nil
	}
	if w.file == nil && syncsLog {
		if err := w.open(); err != nil {
			return err
		}
	}
	if err := w.preallocate(); err != nil {
		return err
	}
	w.allocated = true
	return nil
}

func (w *wal) preallocate() error {
	if w.file != nil {
		return disk.Preallocate(w.file, 0, walSpace)
	}
	f, err := w.dir.OpenWritable(badgerfile.LogName(w.number))
	if err != nil {
		return err
	}
	return errors.Join(disk.Preallocate(f, 0, walSpace), f.Close())
}
