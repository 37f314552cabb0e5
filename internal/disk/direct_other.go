//go:build !linux

package disk

import "os"

// CreateDirect creates the file at path, which must not exist, to be written in whole blocks of
// BlockSize, from memory that AlignedMemory returned.
func CreateDirect(path string) (*os.File, error) {
	return CreateFile(path)
}

// AdviseRandom does nothing on this platform.
func AdviseRandom(*os.File) {}

// Extend does nothing on this platform: writing makes the file longer.
func Extend(*os.File, int64, int64) error { return nil }
