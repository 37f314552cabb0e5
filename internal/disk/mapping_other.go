//go:build !linux

package disk

import "os"

// A Mapping is where in memory a file is mapped. On this platform it is not known.
type Mapping struct{}

// FindMapping returns the zero Mapping.
func FindMapping(*os.File) Mapping { return Mapping{} }

// Populate does nothing.
func (Mapping) Populate(off, end int64) error { return nil }

// Drop does nothing.
func (Mapping) Drop(off, end int64) {}
