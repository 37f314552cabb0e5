package disk

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// mostGathered is how many pieces Linux takes at once.
const mostGathered = 1024

// WritePieces writes pieces behind each other at an offset, by one system call for as many as the
// system takes. It needs the slice of pieces, but not what they consist of, for itself.
func WritePieces(f *os.File, pieces [][]byte, off int64) error {
	for pieces = behind(pieces, 0); len(pieces) > 0; {
		n, err := unix.Pwritev(int(f.Fd()), pieces[:min(len(pieces), mostGathered)], off)
		if err == unix.EINTR {
			continue
		}
		if err == nil && n == 0 {
			err = io.ErrShortWrite
		}
		if err != nil {
			return &os.PathError{Op: "pwritev", Path: f.Name(), Err: err}
		}
		pieces, off = behind(pieces, n), off+int64(n)
	}
	return nil
}

// behind returns what follows the first n bytes of pieces, without empty pieces before it.
func behind(pieces [][]byte, n int) [][]byte {
	for len(pieces) > 0 && len(pieces[0]) <= n {
		n -= len(pieces[0])
		pieces = pieces[1:]
	}
	if n > 0 {
		pieces[0] = pieces[0][n:]
	}
	return pieces
}
