package volumes

import (
	"io"
	"math"
	"os"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/internal/disk"
)

// BreakSync closes the handle through which the volume is flushed.
func BreakSync(s *Store, volume uint64) { s.lookup(volume).flush.file.Close() }

// HoldFlush has a flush of the volume be under way until end is called, when it succeeds.
func HoldFlush(s *Store, volume uint64) (end func()) {
	f := &s.lookup(volume).flush
	f.mu.Lock()
	defer f.mu.Unlock()
	upTo := f.begin()
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.end(upTo, nil)
	}
}

// IgnoreSpace has the store believe that there is always space.
func IgnoreSpace(s *Store) {
	s.spaceOf = func() (disk.Space, error) {
		return disk.Space{Bytes: 1 << 40, Inodes: math.MaxInt64}, nil
	}
}

// Misjudge has the file system have said that a sealed volume occupies nothing.
func Misjudge(s *Store, volume uint64) {
	v := s.lookup(volume)
	v.infoMu.Lock()
	defer v.infoMu.Unlock()
	v.info.DiskBytes = 0
}

// OnPunch has the store call fn before it punches a hole.
func OnPunch(s *Store, fn func()) {
	punch := s.punchHole
	s.punchHole = func(f *os.File, from, size int64) error {
		fn()
		return punch(f, from, size)
	}
}

// ReadFrame reads a frame of a log.
func ReadFrame(k Kind, log io.ReaderAt, ref blob.Ref, buf []byte) ([]byte, error) {
	return readFrame(kinds()[k], log, ref, buf)
}

// FooterOf is the line of a footer.
func FooterOf(frames, bytes int64) string { return contents{frames: frames, bytes: bytes}.line() }

// ReadFooter reads the footer of a log.
func ReadFooter(log io.ReaderAt, size int64) (frames, bytes int64, ok bool, err error) {
	found, err := readFooter(log, size)
	return found.frames, found.bytes, found.footed, err
}

// FooterSize is how long a footer is.
const FooterSize = footerSize

// MaxHeadSize is how long the head of a record is at most.
const MaxHeadSize = maxHeadSize

// ParseHead takes the head of a record at an offset of a log apart, and makes it again.
func ParseHead(k Kind, data []byte, at int64) (again []byte, ok bool) {
	ref, ok := kinds()[k].parse(data, at)
	if !ok {
		return nil, false
	}
	h := kinds()[k].head(ref)
	return h.bytes(), true
}

// Survey counts what a log holds.
func Survey(k Kind, log io.ReaderAt, size int64) (frames, bytes, end int64, err error) {
	found, err := survey(kinds()[k], log, size)
	return found.frames, found.bytes, found.end, err
}

// Start is where the first record of a log is, MinRecord what is around a frame at least, and
// RecordSize what a record has.
func Start(k Kind) int64                   { return kinds()[k].figures().start }
func MinRecord(k Kind) int64               { return kinds()[k].figures().minRecord }
func RecordSize(k Kind, frame int64) int64 { return kinds()[k].recordSize(frame) }

// MostFrames is how many frames a volume takes.
func MostFrames(k Kind) int64 { return kinds()[k].figures().mostFrames }

// Misplace has the store believe that what comes next in an active volume will lie n bytes behind
// where it will.
func Misplace(s *Store, volume uint64, n int64) { s.lookup(volume).end += n }

// Append writes pieces, one behind the other, to a file from an offset on, and returns where it
// would write next.
func Append(file *os.File, at int64, pieces [][]byte) (end int64, err error) {
	var out appender
	out.start(new(disk.Async), file, disk.IsDirect(file), at)
	for _, p := range pieces {
		out.write(p)
	}
	err = out.finish()
	return out.at, err
}
