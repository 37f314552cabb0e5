package volumes

import (
	"errors"
	"math"
	"os"
	"sync"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/internal/disk"
)

// logKind is the kind of volumes that are one file each, a log of records with a footer at its end.
type logKind struct{}

// figures implements kind.
func (k logKind) figures() figures {
	return figures{
		suffix: ".log",
		footer: footerSize,
		// Of the largest volume, or of one frame that is larger than its volume, with what is
		// around it.
		longest:      MaxVolumeSize + 2*disk.BlockSize + footerSize,
		minRecord:    k.recordSize(0),
		batchBytes:   1 << 20, // larger ones save little
		writesAtOnce: 4,
		mostFrames:   math.MaxInt64,
	}
}

// prepare implements kind.
func (k logKind) prepare(r *putRequest) {
	r.head = k.head(blob.Ref{ID: r.id, Size: uint32(len(r.frame))})
	r.trailer = r.head.trailer(r.frame)
}

// files implements kind.
func (logKind) files(dir *disk.Dir, name string) files { return logFiles{dir, name} }

// logFiles is the one of a log volume.
type logFiles struct {
	dir  *disk.Dir
	name string
}

// create implements files.
func (l logFiles) create(_ *Options, async *disk.Async) (active, error) {
	f, err := l.dir.CreateDirect(l.name)
	if err != nil {
		return nil, err
	}
	// The file's entry must outlive a power loss as well as its content.
	if err := l.dir.Sync(); err != nil {
		return nil, errors.Join(err, f.Close(), l.dir.Remove(l.name))
	}
	return &activeLog{disk: async, file: f, direct: disk.IsDirect(f)}, nil
}

// open implements files.
func (l logFiles) open() (*os.File, error) { return l.dir.Open(l.name) }

// openWritable implements files.
func (l logFiles) openWritable() (*os.File, error) { return l.dir.OpenWritable(l.name) }

// footer implements files.
func (l logFiles) footer(log *os.File, size int64) (contents, error) {
	return readFooter(log, size)
}

// finish implements files.
func (l logFiles) finish(found contents) error {
	f, err := l.dir.OpenWritable(l.name)
	if err != nil {
		return err
	}
	return errors.Join(writeFooter(f, disk.RoundUp(found.end), found), f.Close())
}

// remove implements files.
func (l logFiles) remove() error { return l.dir.RemoveIfThere(l.name) }

// usage implements files.
func (l logFiles) usage(bool) (size, occupied int64, err error) {
	info, err := l.dir.Lstat(l.name)
	if err != nil {
		return 0, 0, err
	}
	return info.Size(), disk.Allocated(info), nil
}

// An activeLog is a log volume that takes frames.
type activeLog struct {
	disk      *disk.Async
	file      *os.File
	direct    bool       // the file is written past the page cache
	cached    sync.Mutex // held while the file is written through the page cache
	allocated int64      // up to where blocks are set aside
	pusher    pusher
}

// synced implements active.
func (l *activeLog) synced() *os.File { return l.file }

// allocate implements active. Each batch begins with a block of its own, so that no block is
// written twice.
func (l *activeLog) allocate(upTo, _, ahead int64) (end int64, err error) {
	end = disk.RoundUp(upTo)
	if need := end + footerSize; need > l.allocated {
		if err := disk.Extend(l.file, l.allocated, need+ahead); err != nil {
			return 0, err
		}
		l.allocated = need + ahead
	}
	return end, nil
}

// write implements active.
func (l *activeLog) write(out *appender, batch []*putRequest) error {
	if !l.direct { // the system does one such write of a file at a time: let others wait here, without it
		l.cached.Lock()
		defer l.cached.Unlock()
	}
	out.start(l.disk, l.file, l.direct, int64(batch[0].ref.Offset))
	for _, r := range batch {
		out.write(r.head.bytes())
		out.write(r.frame)
		out.write(r.trailer[:])
	}
	if err := out.finish(); err != nil {
		return err
	}
	// What lies in the page cache starts on its way to the disk while more is written. Where
	// writing goes past it, this does nothing.
	if from, to, due := l.pusher.begin(out.at); due {
		l.pusher.push(l.file, from, to)
	}
	return nil
}

// finish implements active.
func (l *activeLog) finish(end int64, info blob.VolumeInfo) error {
	if end == 0 { // no room for its first batch, nor for a footer: the next Open drops it
		return l.file.Truncate(0)
	}
	return writeFooter(l.file, end, contents{frames: info.Frames, bytes: info.Bytes})
}

// close implements active.
func (l *activeLog) close() error { return nil }
