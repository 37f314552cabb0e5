//go:build !linux

package tcp

import (
	"syscall"
	"time"
)

// limitSilence does nothing: here what is sent has the system's own time.
func limitSilence(syscall.RawConn, time.Duration) error { return nil }
