package badger

import (
	"bufio"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"github.com/gabion-storage/gabion/internal/badgerfile"
	"github.com/gabion-storage/gabion/internal/disk"
)

// A window is memory that Badger writes a log to, in the belief that it is the file: see
// disk.DetachMapping. Through a map of the file, a block that cannot be had kills the process; and of
// those that are set aside some cannot be had, on a full Btrfs before Linux 6.16. The window carries
// what Badger has written to the file, where that is an error.
type window struct {
	mem []byte // nil where Badger writes to the file itself
	end int64  // of what the file has
}

// releaseStep is how much is carried before its memory is given back: a huge page.
const releaseStep = 2 << 20

// open opens the window between Badger and a log. What has been written to the log until then is in
// the file.
func (w *window) open(log *os.File) error {
	walk, err := walkLog(bufio.NewReader(io.NewSectionReader(log, 0, largestLog)))
	if err != nil {
		return err
	}
	mem, err := disk.DetachMapping(log)
	disk.WantHugePages(mem) // most of what this takes is faults of pages
	*w = window{mem, walk.end}
	return err
}

// carry brings the records of a commit to the file.
func (w *window) carry(log *os.File) error {
	if w.mem == nil {
		return nil
	}
	end, whole := w.end, false
	for {
		r, n := parseLogHead(w.mem[end:])
		if !r.plausible || r.key == 0 {
			break
		}
		whole = w.mem[end]&badgerfile.MarkTxnEnd != 0
		end += int64(n + r.key + r.value + crc32.Size)
	}
	if !whole {
		return fmt.Errorf("index: badger has not written a commit to bytes %d to %d of its log", w.end, end)
	}
	if _, err := log.WriteAt(w.mem[w.end:end], w.end); err != nil {
		return err
	}
	if end/releaseStep > w.end/releaseStep {
		disk.ReleaseMemory(w.mem[:end])
	}
	w.end = end
	return nil
}
