//go:build unix

package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// processTime returns how much CPU time this process has used.
func processTime() (_ time.Duration, ok bool) {
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		return 0, false
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()), true
}
