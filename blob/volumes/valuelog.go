package volumes

import (
	"errors"
	"os"
	"runtime"
	"sync"

	"github.com/gabion-storage/gabion/internal/disk"
)

// directSize is how many bytes of records are written past the page cache. Fewer are likely to be an
// object of their own that somebody reads soon, and their pages cost little beside their sync.
const directSize = 512 << 10

// mostReused is how many bytes of memory that Badger has written to it writes to again.
const mostReused = 2 * pushSize

// A valueLog is the file of the value log of a Badger volume that takes frames.
type valueLog struct {
	disk   *disk.Async
	file   *os.File // a handle of our own
	direct *os.File // another one, that writes past the page cache; nil where that cannot be done

	// window is the memory that Badger takes for its map of the file: see disk.DetachMapping. It is
	// nil once Badger is closed, and where Badger writes to the file itself.
	window []byte

	end       int64 // of what Badger has written
	allocated int64 // up to where blocks are set aside
	pusher    pusher
	pushing   sync.WaitGroup
}

// openValueLog takes over the value log that Badger has just made.
func openValueLog(own *disk.Dir, async *disk.Async) (_ *valueLog, err error) {
	l := &valueLog{disk: async, end: valueLogStart}
	if l.file, err = own.OpenWritable(valueLogName); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.closeDirect(), l.file.Close())
		}
	}()
	if err := l.shorten(); err != nil {
		return nil, err
	}
	if l.window, err = disk.DetachMapping(l.file); err != nil {
		return nil, err
	}
	if l.window == nil {
		return l, nil
	}
	// The first block is written again with the first records.
	if _, err := l.file.ReadAt(l.window[:l.end], 0); err != nil {
		return nil, err
	}
	if err := l.openDirect(own); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *valueLog) openDirect(own *disk.Dir) (err error) {
	if l.direct, err = own.OpenWritable(valueLogName); err != nil {
		return err
	}
	if !disk.WriteDirect(l.direct) {
		return l.closeDirect()
	}
	return nil
}

// shorten cuts the value log, of which Badger maps twice the size that it may have, to what is in
// it. From then on the file grows as it is needed: what lies in the map beyond its end must not be
// touched before. Others see a file of a size that makes sense, also after a crash.
func (l *valueLog) shorten() error {
	if runtime.GOOS != "linux" { // elsewhere a file that is mapped keeps its size
		return nil
	}
	return l.file.Truncate(disk.BlockSize)
}

// grow makes the file longer, if it is shorter, and sets its blocks aside.
func (l *valueLog) grow(size int64) error {
	if err := disk.Extend(l.file, l.allocated, size); err != nil {
		return err
	}
	// A file system that sets nothing aside leaves the file as it was.
	info, err := l.file.Stat()
	if err == nil && info.Size() < size {
		err = l.file.Truncate(size)
	}
	if err == nil {
		l.allocated = size
	}
	return err
}

// readAt reads what Badger has written.
func (l *valueLog) readAt(p []byte, at int64) error {
	if l.window != nil {
		copy(p, l.window[at:l.end])
		return nil
	}
	_, err := l.file.ReadAt(p, at)
	return err
}

// carry brings what Badger has written to its map, from an offset on, to the file. db is what Badger
// calls for that where it writes to the file itself.
func (l *valueLog) carry(from int64, db interface{ Sync() error }) error {
	switch {
	case l.window != nil:
		return l.write(from)
	case runtime.GOOS != "linux":
		// Elsewhere what is written through a memory map may be read and synced only after this.
		return db.Sync()
	}
	return nil
}

// write writes to the file what lies in the window from an offset on.
func (l *valueLog) write(from int64) error {
	if l.direct == nil || l.end-from < directSize {
		_, err := l.file.WriteAt(l.window[from:l.end], from)
		return err
	}
	// In whole blocks. What is in the first one before is written again, as it is.
	from, end := from/disk.BlockSize*disk.BlockSize, disk.RoundUp(l.end)
	clear(l.window[l.end:end])
	return l.disk.WriteAt(l.direct, l.window[from:end], from)
}

// push starts what was written on its way to the disk while more is written, and has Badger write
// on in the memory that it wrote that to. What went past the page cache is on the disk.
func (l *valueLog) push() error {
	end := l.end
	from, due := l.pusher.begin(end)
	if !due {
		return nil
	}
	if l.window != nil {
		if err := disk.ReuseMemory(l.window, max(from, end-mostReused), end); err != nil {
			l.pusher.end()
			return err
		}
	}
	l.pushing.Go(func() {
		defer l.pusher.end()
		if l.window != nil {
			disk.ReleaseMemory(l.window[:end])
		}
		disk.StartWriteback(l.file, from, end-from)
	})
	return nil
}

// release waits for what uses the file beside the flushes of the volume. It comes before Badger
// unmaps the file.
func (l *valueLog) release() error {
	l.pushing.Wait()
	l.window = nil
	return errors.Join(l.freeTail(), l.closeDirect())
}

// freeTail gives back what was set aside behind the frames.
func (l *valueLog) freeTail() error {
	from := disk.RoundUp(l.end)
	if from >= l.allocated {
		return nil
	}
	err := disk.PunchHole(l.file, from, l.allocated-from)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil // nothing could be set aside, either
	}
	return err
}

func (l *valueLog) closeDirect() error {
	if l.direct == nil {
		return nil
	}
	err := l.direct.Close()
	l.direct = nil
	return err
}
