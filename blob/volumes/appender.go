package volumes

import (
	"os"

	"github.com/gabion-storage/gabion/internal/disk"
)

// appendSize is how much an appender writes at a time: a full batch, or a chunk of the usual size
// with what is around it.
const appendSize = 1<<20 + disk.BlockSize

// largePiece is what is written from where it lies, if the file can be written in any pieces.
const largePiece = 64 << 10

// An appender writes what it is given in pieces of any size, and as many zeros as fill the last
// block. To a file past the page cache it writes whole blocks.
type appender struct {
	mem    []byte // aligned
	n      int    // bytes of mem in use
	disk   *disk.Async
	file   *os.File
	direct bool  // the file is written past the page cache
	at     int64 // where in file mem belongs; of one that is direct, a multiple of disk.BlockSize
	err    error // the first one
}

// start begins a run of blocks in a file.
func (a *appender) start(async *disk.Async, file *os.File, direct bool, at int64) {
	if a.mem == nil {
		a.mem = disk.AlignedMemory(appendSize)
	}
	a.disk, a.file, a.direct, a.at, a.n, a.err = async, file, direct, at, 0, nil
}

func (a *appender) write(p []byte) {
	if !a.direct && len(p) >= largePiece {
		a.flush()
		a.put(p)
		return
	}
	for len(p) > 0 && a.err == nil {
		n := copy(a.mem[a.n:], p)
		p = p[n:]
		if a.n += n; a.n == len(a.mem) {
			a.flush()
		}
	}
}

// finish fills the last block with zeros and returns when everything is in the file, or an error.
func (a *appender) finish() error {
	end := a.at + int64(a.n)
	more := int(disk.RoundUp(end) - end)
	if more > len(a.mem)-a.n { // which cannot be where whole blocks are written
		a.flush()
	}
	clear(a.mem[a.n : a.n+more])
	a.n += more
	a.flush()
	return a.err
}

func (a *appender) flush() {
	a.put(a.mem[:a.n])
	a.n = 0
}

func (a *appender) put(p []byte) {
	if a.err == nil && len(p) > 0 {
		a.err = a.disk.WriteAt(a.file, p, a.at)
	}
	a.at += int64(len(p))
}
