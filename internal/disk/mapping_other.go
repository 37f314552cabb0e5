//go:build !linux

package disk

import "os"

// A Mapping is where in memory a file is mapped. On this platform it is not known.
type Mapping struct{}

// FindMapping returns the zero Mapping.
func FindMapping(*os.File) Mapping { return Mapping{} }

// Contains is false.
func (Mapping) Contains(uintptr) bool { return false }

// Drop does nothing.
func (Mapping) Drop(off, end int64) {}
