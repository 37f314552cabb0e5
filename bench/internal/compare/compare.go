// Package compare compares what is read with what it must be.
package compare

import (
	"bytes"
	"fmt"
	"io"
)

const blockSize = 256 << 10 // bytes compared at once

// A DifferentError says where what was read is not what it must be.
type DifferentError struct {
	Offset    int64
	Got, Want string // "0x2a", "the end"
}

func (e *DifferentError) Error() string {
	return fmt.Sprintf("at offset %d there is %s, must be %s", e.Offset, e.Got, e.Want)
}

// Readers reads both to the end. Where they differ it fails with a *DifferentError.
func Readers(got, want io.Reader) error {
	g, w := make([]byte, blockSize), make([]byte, blockSize)
	for at := int64(0); ; {
		n, gotErr := io.ReadFull(got, g)
		m, wantErr := io.ReadFull(want, w)
		both := min(n, m)
		if !bytes.Equal(g[:both], w[:both]) {
			i := 0
			for g[i] == w[i] {
				i++
			}
			return &DifferentError{at + int64(i), hex(g[i]), hex(w[i])}
		}
		at += int64(both)
		switch {
		case failed(gotErr):
			return fmt.Errorf("at offset %d: %w", at, gotErr)
		case failed(wantErr):
			return fmt.Errorf("at offset %d, of what it must be: %w", at, wantErr)
		case n > m:
			return &DifferentError{at, hex(g[m]), "the end"}
		case n < m:
			return &DifferentError{at, "the end", hex(w[n])}
		case gotErr != nil:
			return nil
		}
	}
}

func failed(err error) bool {
	return err != nil && err != io.EOF && err != io.ErrUnexpectedEOF
}

func hex(b byte) string { return fmt.Sprintf("%#02x", b) }
