//go:build !linux

package disk

import "os"

// DetachMapping returns nil: on this platform it is not known where a file is mapped.
func DetachMapping(*os.File) ([]byte, error) { return nil, nil }

// WantHugePages does nothing.
func WantHugePages([]byte) {}

// ReleaseMemory does nothing.
func ReleaseMemory([]byte) {}

// ReuseMemory does nothing.
func ReuseMemory([]byte, int64, int64) error { return nil }
