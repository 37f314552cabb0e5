//go:build !linux

package disk

import "os"

// WritePieces writes pieces behind each other at an offset. It needs the slice of pieces, but not
// what they consist of, for itself.
func WritePieces(f *os.File, pieces [][]byte, off int64) error {
	for _, p := range pieces {
		n, err := f.WriteAt(p, off)
		if err != nil {
			return err
		}
		off += int64(n)
	}
	return nil
}
