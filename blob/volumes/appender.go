package volumes

import (
	"os"

	"github.com/gabion-storage/gabion/internal/disk"
)

// appendSize is how much an appender writes at a time: a full batch, or a chunk of the usual size
// with what is around it.
const appendSize = 1<<20 + disk.BlockSize

// An appender writes in whole blocks what it is given in pieces of any size.
type appender struct {
	mem  []byte // aligned
	n    int    // bytes of mem in use
	disk *disk.Async
	file *os.File
	at   int64 // where in file mem belongs, a multiple of disk.BlockSize
	err  error // the first one
}

// start begins a run of blocks in a file.
func (a *appender) start(async *disk.Async, file *os.File, at int64) {
	if a.mem == nil {
		a.mem = disk.AlignedMemory(appendSize)
	}
	a.disk, a.file, a.at, a.n, a.err = async, file, at, 0, nil
}

func (a *appender) write(p []byte) {
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
	end := int(disk.RoundUp(int64(a.n)))
	clear(a.mem[a.n:end])
	a.n = end
	a.flush()
	return a.err
}

func (a *appender) flush() {
	if a.err == nil && a.n > 0 {
		a.err = a.disk.WriteAt(a.file, a.mem[:a.n], a.at)
	}
	a.at += int64(a.n)
	a.n = 0
}
