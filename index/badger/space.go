package badger

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/internal/badgerfile"
	"github.com/gabion-storage/gabion/internal/disk"
)

const (
	// spareInodes and spareHandles are what Badger's background work may need to create files. When
	// it cannot, nothing more can be committed until the index is opened again.
	spareInodes  = 64
	spareHandles = 16

	// walSpace is what Badger writes to a log before it begins the next: a memtable's worth and one
	// transaction, with the headers of its records.
	walSpace = memTableSize + 2<<20

	// spareSpace is what Badger needs to go on to a new log, to open and to close: the log, the
	// table that is made of a memtable, and some room for what the file system itself writes.
	spareSpace = 2*walSpace + 4<<20

	// Below doubtful, what a file system counts as free, but may not have, is tried: at most mostTried
	// of it. Btrfs hands out its disk in chunks of up to 1 GiB.
	doubtful  = 4 << 30
	mostTried = 64 << 20

	// memTableRecord is the most that a record takes of a memtable and of a log beside its key and
	// value: a node of the highest tower, versions, headers and checksums.
	memTableRecord = 160

	// largestCommit is what one commit takes of a memtable at most.
	largestCommit = index.MaxTxBytes + index.MaxTxRecords*(memTableRecord-index.RecordCost)
)

// Ready implements index.Backend. It refuses updates before anything that Badger cannot survive
// comes near. A commit for which the log has room takes no block that is not set aside and no file
// that is not open, so it goes on though others have filled the disk to its last block: that is how
// what frees space gets through.
func (d *database) Ready() error {
	d.committing.Lock()
	defer d.committing.Unlock()
	g := d.generation()
	if g.wal.hasRoom() {
		return nil
	}
	enough := d.roomForLog
	if g.spare.Load() != nil {
		enough = d.inodes
	}
	if err := enough(); err != nil {
		return err
	}
	if err := g.dir.CheckHandles(spareHandles); err != nil {
		return mapError("open spare files", err)
	}
	return d.orGiveUp(func() error { return g.ready(d.settle) })
}

// roomForLog refuses a commit for which Badger might begin the next log where there is no room. It
// takes what others left, and then what the owner has set aside. A reserve may be less than Badger
// needs.
func (d *database) roomForLog() error {
	if d.room(max(d.reserve, spareSpace), d.try) == nil {
		return nil
	}
	return d.spare()
}

// inodes is roomForLog where the bytes are held.
func (d *database) inodes() error { return d.room(0, nil) }

// spare makes sure that Badger can begin a log, open and close, and has the owner give up what it
// has set aside if need be. The caller keeps commits away.
func (d *database) spare() error { return d.orGiveUp(d.hasSpare) }

// orGiveUp has the owner give up what it has set aside if there is no space otherwise.
func (d *database) orGiveUp(take func() error) error {
	err := take()
	if !errors.Is(err, index.ErrNoSpace) || d.giveUp == nil {
		return err
	}
	if err := d.giveUp(); err != nil {
		return mapError("give up what was set aside", err)
	}
	return take()
}

// oneByOne has fn, which may be nil, called by one goroutine at a time: beside who looks for space the
// compaction may, which writes to a log.
func oneByOne(fn func() error) func() error {
	if fn == nil {
		return nil
	}
	var calling sync.Mutex
	return func() error {
		calling.Lock()
		defer calling.Unlock()
		return fn()
	}
}

// hasSpare tries whether there is the space before it asks for it: XFS and Btrfs do not count what has
// been given up until somebody wants it.
func (d *database) hasSpare() error {
	if err := d.try(spareSpace); err != nil {
		return mapError("look for spare space", err)
	}
	return d.room(spareSpace, nil)
}

// try takes so many bytes and gives them back. The caller keeps commits away: what Badger is writing
// needs its blocks meanwhile.
func (d *database) try(n int64) error {
	d.settle()
	return d.dir.CheckSpace(n)
}

// Free implements index.Backend.
func (d *database) Free() (int64, error) {
	space, err := d.spaceOf()
	return space.Bytes, mapError("ask for free space", err)
}

// room checks that at least this many bytes are free, and can be had, which try finds out where that
// is not the same; it may be nil.
func (d *database) room(least int64, try func(int64) error) error {
	space, err := d.spaceOf()
	switch {
	case err != nil:
		return mapError("ask for free space", err)
	case space.Bytes+space.Privileged < least:
		return fmt.Errorf(
			"%w: %d bytes are free, %d must stay so", index.ErrNoSpace,
			space.Bytes+space.Privileged, least,
		)
	case space.Inodes < spareInodes:
		return fmt.Errorf(
			"%w: %d inodes are free, %d must stay so", index.ErrNoSpace, space.Inodes, spareInodes,
		)
	case try != nil && space.Doubtful && space.Bytes < doubtful:
		return mapError("try what is free", try(min(least, mostTried)))
	}
	return nil
}

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
		name, isLog := strings.CutSuffix(file.Name(), ".mem")
		if number, err := strconv.Atoi(name); isLog && err == nil {
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
