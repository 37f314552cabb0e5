//go:build unix

package process

import (
	"time"

	"golang.org/x/sys/unix"
)

// Settle has the system write all dirty pages of all file systems, so that those that one contender
// left behind do not burden the next. On Linux it waits until they are written.
func Settle() { unix.Sync() }

// CPUTime returns how much processor time this process has used.
func CPUTime() time.Duration {
	var used unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &used) // fails for other processes only
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// Allocate returns n bytes outside of Go's heap, and what gives them back. In the heap, a gigabyte
// of them would have the garbage collector run far more rarely than where the engine is used, which
// would flatter whoever allocates.
func Allocate(n int) (mem []byte, free func()) {
	mem, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return make([]byte, n), func() {}
	}
	return mem, func() { _ = unix.Munmap(mem) } // fails only for what Mmap did not return
}
