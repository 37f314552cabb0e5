//go:build !linux

package disk

import "os"

// An Async writes and syncs files. Its calls block like those of package os on this platform.
type Async struct{}

// WriteAt is like that of os.File.
func (*Async) WriteAt(f *os.File, p []byte, off int64) error {
	_, err := f.WriteAt(p, off)
	return err
}

// SyncData is like the function of that name.
func (*Async) SyncData(f *os.File) error { return SyncData(f) }

// Close does nothing on this platform.
func (*Async) Close() error { return nil }
