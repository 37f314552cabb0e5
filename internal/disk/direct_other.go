//go:build !linux

package disk

import "os"

// CreateDirect creates the file at path, which must not exist, to be written in whole blocks of
// BlockSize, from memory that AlignedMemory returned.
func CreateDirect(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o666)
}

// AdviseRandom does nothing on this platform.
func AdviseRandom(*os.File) {}

// Extend does nothing on this platform: writing makes the file longer.
func Extend(*os.File, int64, int64) error { return nil }
