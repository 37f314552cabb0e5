//go:build !linux

package disk

import "os"

// CreateDirect creates a file in d, which must not be there, to be written in whole blocks of
// BlockSize, from memory that AlignedMemory returned.
func (d *Dir) CreateDirect(name string) (*os.File, error) {
	return d.Create(name)
}

// IsDirect says that no file is written past the page cache.
func IsDirect(*os.File) bool { return false }

// AdviseRandom does nothing on this platform.
func AdviseRandom(*os.File) {}

// Extend does nothing on this platform: writing makes the file longer.
func Extend(*os.File, int64, int64) error { return nil }
