package badger

import (
	"errors"
	"fmt"
	"sync"

	"github.com/gabion-storage/gabion/index"
)

const (
	// spareInodes and spareHandles are what Badger's background work may need to create files. When
	// it cannot, nothing more can be committed until the index is opened again.
	spareInodes  = 64
	spareHandles = 16

	// spareSpace is what Badger needs to go on to a new log, to open and to close: the log, the
	// table that is made of a memtable, and some room for what the file system itself writes.
	spareSpace = 2*walSpace + 4<<20

	// Below doubtful, what a file system counts as free, but may not have, is tried: at most mostTried
	// of it. Btrfs hands out its disk in chunks of up to 1 GiB.
	doubtful  = 4 << 30
	mostTried = 64 << 20
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
