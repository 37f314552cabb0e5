//go:build !linux

package disk

import (
	"errors"
	"os"
)

// Preallocate does nothing on this platform: see the package comment for what that weakens.
func Preallocate(*os.File, int64, int64) error { return nil }

// CheckSpace says nothing on this platform.
func (*Dir) CheckSpace(int64) error { return nil }

// Held is space that nobody else gets. There is none on this platform.
type Held struct{}

// HoldSpace returns nil on this platform.
func (*Dir) HoldSpace(int64) (*Held, error) { return nil, nil }

// Release does nothing on this platform.
func (*Held) Release() error { return nil }

// SyncData makes the content of f durable.
func SyncData(f *os.File) error { return f.Sync() }

// StartWriteback does nothing on this platform.
func StartWriteback(*os.File, int64, int64) {}

// NotesUnwritten is false on this platform, where nothing is set aside.
func NotesUnwritten(*os.File) bool { return false }

// WriteInPlace does nothing on this platform.
func (*Dir) WriteInPlace() {}

// PunchHole is not supported on this platform.
func PunchHole(*os.File, int64, int64) error { return errors.ErrUnsupported }
