package volumes

import (
	"io"

	"github.com/gabion-storage/gabion/blob"
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

// ReadFrame reads a frame of a log.
var ReadFrame = readFrame

// FooterOf is the line of a footer.
var FooterOf = footerOf

// ReadFooter reads the footer of a log.
var ReadFooter = readFooter

// FooterSize is how long a footer is.
const FooterSize = footerSize

// ParseHeader takes the header of a record apart, and makes it again.
func ParseHeader(data []byte) (size uint32, again []byte, ok bool) {
	var h recordHeader
	copy(h[:], data)
	size, ok = h.parse()
	made := headerOf(blob.ID(h[8:]), size)
	return size, made[:], ok
}

// Survey counts what a log holds.
func Survey(log io.ReaderAt, size int64) (frames, bytes, end int64, err error) {
	found, err := survey(log, size)
	return found.frames, found.bytes, found.end, err
}

// HeaderSize is how long the header of a record is, RecordOverhead all that is around a frame.
const (
	HeaderSize     = headerSize
	RecordOverhead = recordOverhead
)
