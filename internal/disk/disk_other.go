//go:build !linux

package disk

import "os"

// Preallocate does nothing on this platform: see the package comment for what that weakens.
func Preallocate(*os.File, int64, int64) error { return nil }

// SyncData makes the content of f durable.
func SyncData(f *os.File) error { return f.Sync() }

// StartWriteback does nothing on this platform.
func StartWriteback(*os.File, int64, int64) {}
