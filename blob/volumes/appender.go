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
// block. To a file past the page cache it writes whole blocks, which it collects; to another one,
// large pieces from where they lie, together with what is around them.
type appender struct {
	mem    []byte // aligned
	n      int    // bytes of mem in use
	disk   *disk.Async
	file   *os.File
	direct bool  // the file is written past the page cache
	at     int64 // where in file what is collected belongs; of one that is direct, a multiple of disk.BlockSize
	err    error // the first one

	// Of a file that is not direct: what is collected, up to and with gathered bytes of mem.
	pieces   [][]byte
	gathered int
}

// start begins a run of blocks in a file.
func (a *appender) start(async *disk.Async, file *os.File, direct bool, at int64) {
	if a.mem == nil {
		a.mem = disk.AlignedMemory(appendSize)
	}
	a.disk, a.file, a.direct, a.at, a.n, a.err = async, file, direct, at, 0, nil
}

// write appends p, which must not change before finish has returned.
func (a *appender) write(p []byte) {
	if !a.direct && len(p) >= largePiece {
		a.gather()
		a.pieces = append(a.pieces, p)
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

// gather makes a piece of what mem has beside those that are there.
func (a *appender) gather() {
	if a.n > a.gathered {
		a.pieces = append(a.pieces, a.mem[a.gathered:a.n])
		a.gathered = a.n
	}
}

// collected returns how many bytes are not written yet.
func (a *appender) collected() (n int64) {
	for _, p := range a.pieces {
		n += int64(len(p))
	}
	return n + int64(a.n-a.gathered)
}

// finish fills the last block with zeros and returns when everything is in the file, or an error.
func (a *appender) finish() error {
	end := a.at + a.collected()
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
	size := a.collected()
	switch {
	case a.err != nil || size == 0:
	case a.direct:
		a.err = a.disk.WriteAt(a.file, a.mem[:a.n], a.at)
	default:
		// Not by asynchronous I/O: the page cache takes them before that returns, too.
		a.gather()
		a.err = disk.WritePieces(a.file, a.pieces, a.at)
	}
	a.at += size
	clear(a.pieces) // which would keep the frames in memory
	a.pieces, a.n, a.gathered = a.pieces[:0], 0, 0
}
